"""The key by which this installation's own tools speak as devices: a file of mode 0600."""

import os
from pathlib import Path

from telemetry.errors import HeadwaterError

BYTES = 32


def local_key(folder: Path) -> bytes:
    """Return the key, made on first use."""
    path = folder / "tools.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text())
    except (OSError, ValueError) as error:
        raise HeadwaterError(f"{path} cannot be used: {error}") from error
    if len(key) != BYTES or path.stat().st_mode & 0o077:
        raise HeadwaterError(f"{path} must hold {BYTES} bytes in hex, for its owner alone")
    return key


def _make(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(os.urandom(BYTES).hex())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # fails where another process was first
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
