"""Pictures of a running stack: where pages show them, what is taken, and what must be running."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from docs.making.pictures import MARK, pictured
from docs.making.screenshots import SHOTS, address, screenshots
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
MARKED = "Before.\n\n<!-- picture live: A page -->\n\nAfter."


def test_picture_is_shown_where_it_was_taken_and_nothing_elsewhere() -> None:
    assert pictured(MARKED, "query.md", {"live"}) == MARKED.replace(
        "<!-- picture live: A page -->", "![A page](screenshots/live.png)"
    )
    assert "(../screenshots/live.png)" in pictured(MARKED, "tutorials/one.md", {"live"})
    assert pictured(MARKED, "query.md", {"map"}) == "Before.\n\n\n\nAfter."


def test_every_picture_is_shown_and_every_mark_has_one() -> None:
    marked = {
        name for page in DOCS.rglob("*.md") for name, _ in MARK.findall(page.read_text("utf-8"))
    }
    assert marked == set(SHOTS)


def test_every_dashboard_has_its_picture() -> None:
    boards = {path.stem.replace("_", "-") for path in DOCS.parent.glob("dashboards/dashboards/*")}
    assert boards <= set(SHOTS)


def test_what_is_not_running_is_named(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port_base=64000)
    for name, words in (
        ("live", "query must be running"),
        ("map", "superset must be running"),
        ("data-docs", "overview.html is not there"),
    ):
        with pytest.raises(HeadwaterError, match=words):
            address(SHOTS[name], settings, lambda _: None)
    (tmp_path / "dataquality" / "pages").mkdir(parents=True)
    (tmp_path / SHOTS["data-docs"].path).touch()
    assert address(SHOTS["data-docs"], settings, lambda _: None).startswith("file:///")


def test_help_says_what_must_be_running() -> None:
    said = CliRunner().invoke(screenshots, ["--help"])
    assert said.exit_code == 0
    assert "What must be running" in said.output
