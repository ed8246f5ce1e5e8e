"""A decoder of the scorer's own: Python's `json`, so that no bug is shared with the lake's."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple, NoReturn

import numpy as np
import polars as pl

Sentinels = Mapping[str, frozenset[object]]
Fields = dict[str, object]


class Item(NamedTuple):
    """One message of a record: its bytes, and its fields if they are an object."""

    body: bytes
    fields: Fields | None


def _refuse(literal: str) -> NoReturn:
    raise ValueError(literal)


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_scan = _DECODER.scan_once  # type: ignore[attr-defined]  # faster than decode, which it is in
_SPACE = " \t\r\n"


def read_items(value: bytes) -> list[Item]:
    """Split a record into its messages; what cannot be read is one message without fields."""
    if value[:1] == b"{" or value.lstrip(b" \t\r\n")[:1] != b"[":
        return [Item(value, _fields(value))]
    bodies = _elements(value.decode("utf-8", "surrogateescape"))
    if not bodies:
        return [Item(value, None)]
    raw = [body.encode("utf-8", "surrogateescape") for body in bodies]
    return [Item(body, _fields(body)) for body in raw]


def _fields(body: bytes) -> Fields | None:
    try:
        text = body.decode().strip(_SPACE)
        fields, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration):
        return None
    if end != len(text) or not isinstance(fields, dict) or not _is_text(body, fields):
        return None
    return fields


def _is_text(body: bytes, fields: Fields) -> bool:
    """Tell whether all texts are Unicode: half of a surrogate pair can be escaped, and is none."""
    if b"\\u" not in body:
        return True
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _elements(text: str) -> list[str]:
    elements = []
    place = text.index("[") + 1
    try:
        while True:
            place = _past_space(text, place)
            _, end = _DECODER.raw_decode(text, place)
            elements.append(text[place:end])
            place = _past_space(text, end)
            if text[place] == "]":
                return [] if text[place + 1 :].strip(_SPACE) else elements
            if text[place] != ",":
                return []
            place += 1
    except (ValueError, IndexError, RecursionError):
        return []


def _past_space(text: str, place: int) -> int:
    while text[place] in _SPACE:
        place += 1
    return place


def digest(body: bytes) -> bytes:
    """Return the first half of the bytes' SHA-256."""
    return sha256(body).digest()[:16]


def halves(digests: bytes) -> dict[str, pl.Series]:
    """Return digests that stand one after another as the columns h1 and h2."""
    numbers = np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
    return {"h1": pl.Series(numbers[:, 0]), "h2": pl.Series(numbers[:, 1])}
