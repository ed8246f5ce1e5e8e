"""Builders for tests of publish: a light home, files in it, the command, what was spooled."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner, Result

from infra.cli import cli


class SpooledRow(TypedDict):
    """A row of a segment, the columns that tests look at."""

    key: bytes
    value: bytes
    headers: list[dict[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Home:
    """A home whose stack is light: records go to its spool."""

    path: Path

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file and return its name."""
        path = self.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def run(self, *arguments: str, stdin: bytes | None = None) -> Result:
        """Run the command in this process."""
        environment = {"HEADWATER_HOME": str(self.path), "HEADWATER_DEBUG": "false"}
        return CliRunner().invoke(cli, list(arguments), env=environment, input=stdin)

    def publish(self, *arguments: str, code: int = 0, stdin: bytes | None = None) -> Result:
        """Run `publish` and check its exit code."""
        result = self.run("publish", *arguments, stdin=stdin)
        assert result.exit_code == code, result.output
        return result

    def records(self) -> list[tuple[str, bytes]]:
        """Return what was spooled: key and value, in the order of sending."""
        return [(row["key"].decode(), row["value"]) for row in self.rows()]

    def messages(self) -> list[dict[str, object]]:
        """Return the spooled values, read as JSON."""
        return [orjson.loads(value) for _, value in self.records()]

    def rows(self) -> Iterator[SpooledRow]:
        """Yield the spooled rows."""
        paths = sorted((self.path / "spool" / "segments").glob("*.parquet"))
        tables = [pq.ParquetFile(path).read() for path in paths]
        yield from pa.concat_tables(tables).to_pylist() if tables else []


def light_home(path: Path) -> Home:
    """Make a home as `headwater up --light` leaves it."""
    (path / "stack.json").write_text(json.dumps({"mode": "light"}))
    return Home(path)


def counts(result: Result) -> dict[str, int]:
    """Return the figures that publish printed on stdout."""
    found: dict[str, int] = json.loads(result.stdout)
    return found
