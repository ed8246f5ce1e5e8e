"""`headwater sql`: where the query comes from."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.cli import cli
from infra.stack import Stack, write_stack
from infra.trino.registration import note_lake
from telemetry.settings import Settings
from tests.infra.sql.seeded_lake import seed

QUERY = "select count(*) as n from silver.readings where value_text is null or value_text <> 'ö'"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sql")
    seed(made / "lake")
    write_stack(made, Stack("light", 18_000, ()))
    return made


def asked(home: Path, *arguments: str, stdin: bytes = b"", **settings: str) -> Result:
    given = ["sql", *arguments, "--format", "csv"]
    environment = {"HEADWATER_HOME": str(home), **settings}
    return CliRunner().invoke(cli, given, input=stdin, env=environment)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_query_is_read_from_a_file_as_any_editor_writes_it(home: Path, encoding: str) -> None:
    file = home / "query.sql"
    file.write_text(f"{QUERY};\n", encoding)
    assert asked(home, "-f", str(file)).stdout == "n\n40\n"
    assert asked(home, "-", stdin=file.read_bytes()).exit_code == 0


def test_file_in_another_encoding_is_refused_by_name(home: Path) -> None:
    file = home / "latin.sql"
    file.write_bytes(QUERY.encode("latin-1"))
    for arguments, name in ((["-f", str(file)], "latin.sql"), (["-"], "<stdin>")):
        refused = asked(home, *arguments, stdin=file.read_bytes())
        assert refused.exit_code == 1
        assert f"{name} is no text in UTF-8" in refused.stderr
        assert "a defect" not in refused.stderr


def test_lake_that_trino_does_not_serve_is_asked_itself(home: Path, tmp_path: Path) -> None:
    write_stack(tmp_path, Stack("full", 1, ("trino",)))
    note_lake(Settings(home=tmp_path))

    of_trino = asked(tmp_path, QUERY)
    beside = asked(tmp_path, QUERY, HEADWATER_LAKE=str(home / "lake"))

    assert "Trino does not answer" in of_trino.stderr
    assert beside.stdout == "n\n40\n"
