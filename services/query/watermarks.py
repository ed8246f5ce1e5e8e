"""Up to when the streams have everything: each product's watermark, as gold wrote it down last."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from services.query.times import micros, time_text


class Marks(NamedTuple):
    """The watermarks as gold wrote them down at one time.

    Take them before the tables are looked up: what is final by then is in what is read after.
    """

    edition: object
    """Other marks have another one."""
    known: Mapping[str, int]
    never_final: frozenset[str] = frozenset()
    """Products of which gold said that they have no watermark."""
    taken_ms: float | None = None
    """When the newest message that gold has counted was received, in milliseconds since 1970."""

    def of(self, tenant: str, product: str) -> int | None:
        """Return the watermark in microseconds since 1970; None: unbounded, or nobody said."""
        return self.known.get(_named(tenant, product))

    def is_unbounded(self, tenant: str, product: str) -> bool:
        """Say whether a product's windows are never final: its lateness is unbounded."""
        return _named(tenant, product) in self.never_final

    def unbounded(self, tenant: str) -> list[str]:
        """Return a tenant's products whose windows are never final: their lateness is unbounded."""
        own = "" if tenant == "default" else _named(tenant, "")
        return sorted(name.removeprefix(own) for name in self.never_final if _is_of(tenant, name))

    def all_of(self, tenant: str) -> list[int]:
        """Return the watermarks of a tenant's products."""
        return [mark for name, mark in self.known.items() if _is_of(tenant, name)]

    def least(self, tenant: str, products: Iterable[str]) -> str | None:
        """Return the least watermark of products as a time; None where one has none."""
        marks = [self.of(tenant, product) for product in products]
        known = [mark for mark in marks if mark is not None]
        return time_text(min(known)) if known and len(known) == len(marks) else None


class Watermarks:
    """The watermarks in gold's progress file; read again only when the file is another one."""

    def __init__(self, progress_dir: Path) -> None:
        self._path = progress_dir / "gold.json"
        self._marks = Marks(None, {})

    def now(self) -> Marks:
        """Return the newest marks."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._marks = Marks(None, {})
            return self._marks
        edition = (found.st_ino, found.st_mtime_ns)
        marks = self._marks
        if edition != marks.edition:
            self._marks = marks = _read(self._path, edition)
        return marks


def _named(tenant: str, product: str) -> str:
    return product if tenant == "default" else f"{tenant}/{product}"


def _is_of(tenant: str, name: str) -> bool:
    return "/" not in name if tenant == "default" else name.startswith(_named(tenant, ""))


def _read(path: Path, edition: object) -> Marks:
    try:
        said = json.loads(path.read_bytes())
        marks = said["watermarks"].items()
        known = {product: micros(datetime.fromisoformat(at)) for product, at in marks}
        never_final, age_s = frozenset(said.get("never_final", ())), said.get("age_s")
        taken_ms = None if age_s is None else (float(said["at"]) - float(age_s)) * 1000
        return Marks(edition, known, never_final, taken_ms)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Half a word is no word: what is not known to be final is read raw.
        return Marks(edition, {})
