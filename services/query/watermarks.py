"""Up to when the streams have everything: each product's watermark, as gold wrote it down last."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from services.query.times import micros, time_text


class Watermarks:
    """The watermarks in gold's progress file; read again only when the file is another one."""

    def __init__(self, progress_dir: Path) -> None:
        self._path = progress_dir / "gold.json"
        self._mark: tuple[int, int] | None = None
        self._known: dict[str, int] = {}

    def of(self, tenant: str, product: str) -> int | None:
        """Return the watermark in microseconds since 1970; None: unbounded, or nobody said."""
        self._refresh()
        return self._known.get(product if tenant == "default" else f"{tenant}/{product}")

    def edition(self) -> object:
        """Return what changes whenever the watermarks may have changed."""
        self._refresh()
        return self._mark

    def least(self, tenant: str, products: Iterable[str]) -> str | None:
        """Return the least watermark of products as a time; None where one has none."""
        marks = [self.of(tenant, product) for product in products]
        known = [mark for mark in marks if mark is not None]
        return time_text(min(known)) if known and len(known) == len(marks) else None

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._mark, self._known = None, {}
            return
        mark = (found.st_ino, found.st_mtime_ns)
        if mark != self._mark:
            self._known = _read(self._path)
            self._mark = mark


def _read(path: Path) -> dict[str, int]:
    try:
        said = json.loads(path.read_bytes())["watermarks"]
        return {product: micros(datetime.fromisoformat(at)) for product, at in said.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Half a word is no word: what is not known to be final is read raw.
        return {}
