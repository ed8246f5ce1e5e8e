"""The key-encryption keys as a file of mode 0600: the registry makes it, the gateway reads it."""

import json
import os
from base64 import b64decode, b64encode
from pathlib import Path

from telemetry.errors import HeadwaterError
from telemetry.sealing import KEY_BYTES, KeyRing


def read_key_ring(path: Path) -> KeyRing:
    """Read the keys; raise if the file is not there or everybody may read it."""
    try:
        if path.stat().st_mode & 0o077:
            raise HeadwaterError(f"{path} is open to others: chmod 600 {path}")
        found = json.loads(path.read_bytes())
        keys = {str(key_id): b64decode(key) for key_id, key in found["keys"].items()}
        ring = KeyRing(str(found["current"]), keys)
    except FileNotFoundError as error:
        raise HeadwaterError(f"{path} is not there: the registry makes it at its start") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadwaterError(f"{path} cannot be read as keys: {error}") from error
    if ring.current not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise HeadwaterError(f"{path}: current must name a key, and a key has {KEY_BYTES} bytes")
    return ring


def key_ring(path: Path) -> KeyRing:
    """Read the keys, or make the first one."""
    if not path.exists():
        _write(path, KeyRing("k1", {"k1": os.urandom(KEY_BYTES)}))
    return read_key_ring(path)


def add_key(path: Path) -> KeyRing:
    """Add a key and make it the current one; the older ones go on opening what they sealed."""
    before = read_key_ring(path)
    name = f"k{len(before.keys) + 1}"
    _write(path, KeyRing(name, {**before.keys, name: os.urandom(KEY_BYTES)}))
    return read_key_ring(path)


def _write(path: Path, ring: KeyRing) -> None:
    keys = {key_id: b64encode(key).decode() for key_id, key in ring.keys.items()}
    write_secret(path, json.dumps({"current": ring.current, "keys": keys}, indent=2) + "\n")


def write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole and durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
