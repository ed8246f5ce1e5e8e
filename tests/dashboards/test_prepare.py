"""When the bundle is imported again, over what people have changed in the browser."""

import json
from pathlib import Path

import pytest

from infra.superset.inside.home import Told
from infra.superset.inside.prepare import Digests, digests, noted_in


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "map.yaml").write_text("uuid: a")
    (tmp_path / "logins.json").write_text("{}")
    return tmp_path


def now(own: Path, *, port: int = 18005, database: str = "sqlite:////a") -> Digests:
    """Return the digests of a stack with these settings."""
    given = Told(secret_key="s", database=database, trino="t", bundle=str(own / "bundle"),
                 port=port, alerts="", data_docs="")  # fmt: skip
    (own / "settings.json").write_text(json.dumps(given))
    return digests(given, own)


def test_another_port_is_prepared_for_without_an_import(own: Path) -> None:
    before, after = now(own), now(own, port=19005)
    assert before.whole != after.whole
    assert before[1:] == after[1:]


def test_another_bundle_and_another_database_are_imported(own: Path) -> None:
    before = now(own)
    assert now(own, database="postgresql://b").imported != before.imported
    (own / "bundle" / "map.yaml").write_text("uuid: b")
    assert now(own).imported != before.imported
    assert now(own).people == before.people


def test_other_logins_are_no_reason_to_import(own: Path) -> None:
    before = now(own)
    (own / "logins.json").write_text('{"admin": "x"}')
    assert now(own).people != before.people
    assert now(own).imported == before.imported


def test_what_an_earlier_release_has_noted_is_imported_again(own: Path) -> None:
    assert noted_in(own) == Digests()
    (own / "prepared").write_text("whole\npeople\n")
    assert noted_in(own) == Digests("whole", "people", "")
