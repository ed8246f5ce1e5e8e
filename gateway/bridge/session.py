"""The bridge's name at the broker, and what it has asked for there, kept over restarts."""

import secrets
from pathlib import Path

import msgspec

from edge.durable_files import replace_durably


class _Kept(msgspec.Struct):
    client_id: str
    patterns: tuple[str, ...] = ()


class SessionFile:
    """A file beside the bridge; the broker's session goes on only under the same name."""

    def __init__(self, path: Path, *, client_id: str | None, patterns: tuple[str, ...]) -> None:
        """Take the name given, or the one of before, or a new one."""
        self._path = path
        self._patterns = patterns
        before = _read(path)
        drawn = before.client_id if before else f"headwater{secrets.token_hex(6)}"
        self.client_id = client_id or drawn
        known = before.patterns if before and before.client_id == self.client_id else ()
        self.outdated: tuple[str, ...] = tuple(one for one in known if one not in patterns)
        """Filters that the broker's session may still hold, and nobody asks for any more."""
        self._write((*patterns, *self.outdated))

    def subscribed(self) -> None:
        """Note that the broker has taken the filters, and given up the outdated ones."""
        if self.outdated:
            self.outdated = ()
            self._write(self._patterns)

    def _write(self, patterns: tuple[str, ...]) -> None:
        kept = _Kept(self.client_id, patterns)
        replace_durably(self._path, msgspec.json.encode(kept))


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
