"""A checksum within a small JSON file of ours, so that a flipped byte is noticed."""

import json
import zlib
from collections.abc import Mapping

FIELD = "crc32"


def sealed(content: Mapping[str, object]) -> dict[str, object]:
    """Return the content with its checksum."""
    return {**content, FIELD: _checksum(content)}


def is_sealed(content: Mapping[str, object]) -> bool:
    """Tell whether the content is as it was written; files of earlier releases have no checksum."""
    return content.get(FIELD) in (None, _checksum(content))


def _checksum(content: Mapping[str, object]) -> int:
    plain = {name: value for name, value in content.items() if name != FIELD}
    return zlib.crc32(json.dumps(plain, separators=(",", ":")).encode())
