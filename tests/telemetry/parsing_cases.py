"""The cases of the JSON parsing suite, and CBOR that is not well formed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CASES = Path(__file__).parent / "fixtures" / "json_parsing.ndjson"


class Case(NamedTuple):
    """A text, and its name: `y_` is JSON, `n_` is none, others may be either."""

    name: str
    text: bytes


def json_cases() -> Iterator[Case]:
    """Yield what the suite has."""
    for line in CASES.read_text("utf-8").splitlines():
        said = json.loads(line)
        yield Case(said["name"], said["text"].encode("latin-1") * said.get("times", 1))


def as_value(text: bytes) -> bytes:
    """Return what stands in the brackets of a case: most are a value in a list."""
    is_listed = text[:1] == b"[" and text[-1:] == b"]" and len(text) > 2
    return text[1:-1] if is_listed else text


MALFORMED_CBOR = """
18|19|1a|1b|1901|1a0102|1b01020304050607|38|58|78|98|9a01ff00|b8|d8|f8|f900|fa0000|fb000000
41|61|5affffffff00|5bffffffffffffffff010203|7affffffff00|7b7fffffffffffffff010203
81|818181818181818181|8200|a1|a20102|a100|a2000000|c0|5f4100|7f6100
9f|9f0102|bf|bf01020102|819f|9f8000|9f9f9f9f9fffffffff|9f819f819f9fffffff
1c|1d|1e|3c|3d|3e|5c|5d|5e|7c|7d|7e|9c|9d|9e|bc|bd|be|dc|dd|de|fc|fd|fe|f800|f801|f818|f81f
5f00ff|5f21ff|5f6100ff|5f80ff|5fa0ff|5fc000ff|5fe0ff|7f4100ff|5f5f4100ffff|7f7f6100ffff
ff|81ff|8200ff|a1ff|a1ff00|a100ff|a20000ff|9f81ff|9f829f819f9fffffffff|bf00ff|bf000000ff|1f|3f|df
"""
"""Each is not well formed (RFC 8949, appendix F)."""


def malformed_cbor() -> list[bytes]:
    """Return the cases of appendix F."""
    lines = MALFORMED_CBOR.split()
    return [bytes.fromhex(each) for line in lines for each in line.split("|")]
