"""Commits that take rows out of a table, such as erasure and retention make."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from services.query.listing import TableFiles

MOST_COMMITS = 1000
"""More of them at once are not read: rows are taken to be gone."""


class Deletions:
    """Sees, look by look, whether a commit removed more rows than it added."""

    def __init__(self, files: TableFiles) -> None:
        self._files = files
        self._version: int | None = None
        self._rows: dict[str, int | None] = {}

    def happened(self) -> bool:
        """Say whether rows went away since the last look; the first look knows of none."""
        listing = self._files.listing()
        before, rows = self._version, self._rows
        if before == listing.version:
            return False
        self._version = listing.version
        self._rows = dict(zip(listing.paths, listing.rows, strict=True))
        if before is None or before < 0:
            return False
        if not 0 < listing.version - before <= MOST_COMMITS:
            return True
        versions = range(before + 1, listing.version + 1)
        # Each is read, for a file that one adds a later one may remove.
        return any([is_loss(self._actions(version), rows) for version in versions])

    def _actions(self, version: int) -> Iterator[Mapping[str, Any]] | None:
        path = f"{self._files.folder}/_delta_log/{version:020d}.json"
        try:
            with self._files.store.open_input_stream(path) as source:
                return iter([json.loads(line) for line in source.read().splitlines() if line])
        except OSError:
            return None


def is_loss(actions: Iterator[Mapping[str, Any]] | None, rows: dict[str, int | None]) -> bool:
    """Say whether a commit removes more rows than it adds; None, a commit nobody can read, may.

    `rows`: how many rows each file has, None where nobody said; the commit's files are put there.
    """
    if actions is None:
        return True
    difference, removed = 0, [False]
    for action in actions:
        if added := action.get("add"):
            count = json.loads(added.get("stats") or "{}").get("numRecords")
            rows[unquote(added["path"])] = count
            difference += count or 0
        elif gone := action.get("remove"):
            count = rows.pop(unquote(gone["path"]), None)
            removed.append(count is None and bool(gone.get("dataChange", True)))
            difference -= count or 0
    return difference < 0 or any(removed)
