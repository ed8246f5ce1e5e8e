"""The file of key-encryption keys: made once, kept from others, added to."""

from pathlib import Path

import pytest

from edge.key_file import add_key, key_ring, read_key_ring
from telemetry.errors import HeadwaterError


def test_first_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry" / "keys.json"
    ring = key_ring(path)
    assert key_ring(path) == ring
    assert path.stat().st_mode & 0o777 == 0o600


def test_added_key_is_the_current_one_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = key_ring(path)
    after = add_key(path)
    assert (before.current, after.current) == ("k1", "k2")
    assert after.keys["k1"] == before.keys["k1"]
    assert read_key_ring(path) == after


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as keys"),
        ("[]", "cannot be read as keys"),
        ('{"current": "k1", "keys": {"k1": "c2hvcnQ="}}', "a key has 32 bytes"),
        ('{"current": "k1", "keys": {}}', "current must name a key"),
    ],
)
def test_what_is_no_key_file_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(HeadwaterError, match=reason):
        read_key_ring(path)


def test_open_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(HeadwaterError, match="the registry makes it"):
        read_key_ring(path)
    key_ring(path)
    path.chmod(0o644)
    with pytest.raises(HeadwaterError, match="chmod 600"):
        read_key_ring(path)
