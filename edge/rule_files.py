"""Rules as files: one of JSON each, for whoever evaluates them, with or without a registry."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson

from edge.durable_files import mark_of, replace_durably
from telemetry.errors import HeadwaterError, RuleError
from telemetry.rules.form import versioned_from_dict, versioned_to_dict
from telemetry.rules.rule import VersionedRule

RuleKey = tuple[str, str]
"""Tenant and name."""


class RuleFiles:
    """The newest version of each rule, below the folder of a home's registry."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._was_there = False

    def rules(self) -> dict[RuleKey, VersionedRule]:
        """Return all rules by tenant and name."""
        return {
            (kept.rule.tenant, kept.rule.name): kept
            for kept in (read_rule(path, content) for path, content in self.files())
        }

    def readable(self) -> Iterator[VersionedRule]:
        """Yield the rules of all files but those that cannot be read."""
        for path, content in self.files():
            with suppress(RuleError):
                yield read_rule(path, content)

    def path_of(self, kept: VersionedRule) -> Path:
        """Return where a rule's file stands."""
        return self._root / "rules" / kept.rule.tenant / f"{kept.rule.name}.json"

    def put(self, kept: VersionedRule) -> bool:
        """Write a rule durably; return False if the same stood there already."""
        path = self.path_of(kept)
        if _says(path, kept):
            return False
        text = orjson.dumps(versioned_to_dict(kept), option=orjson.OPT_INDENT_2) + b"\n"
        try:
            replace_durably(path, text)
        except OSError as error:
            raise HeadwaterError(f"the rule cannot be written: {error}") from error
        return True

    def files(self) -> Iterator[tuple[Path, bytes]]:
        """Yield each rule's file and its content."""
        for path in self._paths():
            yield path, path.read_bytes()

    def fingerprint(self) -> str:
        """Return a token that changes whenever a rule does; costs a stat a rule."""
        return ";".join(f"{path.name}:{mark_of(path)}" for path in self._paths())

    def _paths(self) -> list[Path]:
        """Return the rules' files; a folder that has been there and is away says nothing of rules.

        `glob` would find none in what is away or may not be read, and every alarm would be over.
        """
        folder = self._root / "rules"
        if not self._was_there and not folder.is_dir():
            return []
        try:
            tenants = [each for each in folder.iterdir() if each.is_dir()]
            found = [path for each in tenants for path in each.iterdir() if path.suffix == ".json"]
        except OSError as error:
            raise RuleError(f"the folder of rules cannot be read: {error}") from error
        self._was_there = True
        return sorted(found)


def _says(path: Path, kept: VersionedRule) -> bool:
    try:
        return path.is_file() and read_rule(path, path.read_bytes()) == kept
    except RuleError:
        return False


def read_rule(path: Path, content: bytes) -> VersionedRule:
    """Read the content of a rule's file; raise `RuleError` that names the file."""
    try:
        return versioned_from_dict(orjson.loads(content))
    except (HeadwaterError, orjson.JSONDecodeError, AttributeError) as error:
        raise RuleError(f"{path}: {error}") from error
