"""Pages made from the code are up to date, links between pages hold, the site needs no network."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.making.markdown import anchor
from docs.making.pages import FOLDER, pages
from telemetry.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.M)
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def test_pages_are_up_to_date(made: dict[str, str]) -> None:
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    assert there == made, "run `make docs`"


def test_every_setting_has_its_row(made: dict[str, str]) -> None:
    rows = re.findall(r"^\| `(HEADWATER_\w+|JAVA_HOME)` \|", made["settings.md"], re.M)
    assert len(rows) == len(Settings.model_fields)
    assert "\n| `HEADWATER_TRINO_HEAP_MB` | whole number, ≥ 512 | `1024` |" in made["settings.md"]


def test_every_operation_of_the_gateway_is_there(made: dict[str, str]) -> None:
    assert "## POST /devices/{device}/telemetry" in made["api-gateway.md"]
    assert "`GET /v1/audit`" in made["api-registry.md"]


def links() -> Iterator[tuple[Path, str]]:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]:
        text = FENCE.sub("", page.read_text("utf-8"))
        for target in LINK.findall(text):
            if "://" not in target:
                yield page, target


def test_links_between_pages_hold() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}" for page, target in links() if not holds(page, target)
    ]
    assert broken == []


def holds(page: Path, target: str) -> bool:
    path, _, place = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists() or not place:
        return found.exists()
    headings = HEADING.findall(FENCE.sub("", found.read_text("utf-8")))
    return place in {anchor(each) for each in headings}


def test_lists_and_tables_stand_apart() -> None:
    """The site's builder takes them for words of the paragraph above otherwise."""
    runs_on = re.compile(r"^(?![ #|]|- |1\. )\S.*\n(?:- |1\. |\|).*", re.M)
    found = [
        f"{page.relative_to(ROOT)}: {each}"
        for page in sorted(DOCS.rglob("*.md"))
        for each in runs_on.findall(FENCE.sub("```", page.read_text("utf-8")))
    ]
    assert found == []


class Loads(HTMLParser):
    """What a page has the browser load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "link" and named.get("rel") == "canonical":
            return
        self.addresses += [named[LOADS[tag]] or ""] if named.get(LOADS.get(tag, "")) else []


@pytest.mark.long
def test_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    built = sorted(tmp_path.rglob("*.html"))
    assert len(built) > len(list(DOCS.rglob("*.md"))) - 1
    for page in built:
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        assert [each for each in loads.addresses if "//" in each] == [], page
