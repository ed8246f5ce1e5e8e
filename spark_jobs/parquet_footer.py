"""Footers of Parquet files, taken apart and put together: Thrift's compact protocol.

A struct is its fields by number, each with its type; what no one here changes stays as it came.
"""

from collections.abc import Mapping
from typing import TypeAlias, cast

TRUE, FALSE, I8, I16, I32, I64 = 1, 2, 3, 4, 5, 6
DOUBLE, BINARY, LIST, STRUCT = 7, 8, 9, 12
MAGIC = b"PAR1"
_TAIL = 8
_LONG = 15

Value: TypeAlias = "bool | int | bytes | Items | Struct"
Items: TypeAlias = "tuple[int, list[Value]]"
"""The type of a list's items, and the items; structs among them may be encoded already."""
Struct: TypeAlias = "dict[int, tuple[int, Value]]"


def footer(file: bytes | memoryview) -> tuple[Struct, int]:
    """Return the footer of a whole file, and where it begins."""
    size = int.from_bytes(file[-_TAIL:-4], "little")
    start = len(file) - _TAIL - size
    return _Reader(bytes(file[start:-_TAIL])).struct(), start


def tail(footer: Mapping[int, tuple[int, Value]]) -> bytes:
    """Return the end of a file: its footer, the size of that, and the magic bytes."""
    packed = encoded(footer)
    return b"".join((packed, len(packed).to_bytes(4, "little"), MAGIC))


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self) -> Struct:
        found: Struct = {}
        number = 0
        while head := self._byte():
            type_, step = head & 15, head >> 4
            number = number + step if step else self._whole()
            found[number] = type_, self._value(type_)
        return found

    def _value(self, type_: int) -> Value:
        match type_:
            case 4 | 5 | 6:
                return self._whole()
            case 8:
                return self._bytes(self._varint())
            case 12:
                return self.struct()
            case 9 | 10:
                return self._items()
            case 1 | 2:
                return type_ == TRUE
            case 3:
                return self._byte()
            case 7:
                return self._bytes(8)
        raise ValueError(f"no Parquet footer has a field of type {type_}")

    def _items(self) -> Items:
        head = self._byte()
        count, type_ = head >> 4, head & 15
        if count == _LONG:
            count = self._varint()
        if type_ in (TRUE, FALSE):
            return type_, [self._byte() == TRUE for _ in range(count)]
        return type_, [self._value(type_) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def _varint(self) -> int:
        content, at = self._content, self._at
        found = shift = 0
        while (byte := content[at]) > 127:
            found |= (byte & 127) << shift
            shift += 7
            at += 1
        self._at = at + 1
        return found | byte << shift

    def _whole(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)


def encoded(struct: Mapping[int, tuple[int, Value]]) -> bytes:
    """Encode a struct."""
    parts: list[bytes] = []
    last = 0
    for number in sorted(struct):
        type_, value = struct[number]
        if type_ in (TRUE, FALSE):
            type_ = TRUE if value else FALSE
        step = number - last
        short = 0 < step < 16
        parts.append(bytes((step << 4 | type_,)) if short else bytes((type_,)) + _whole(number))
        if type_ not in (TRUE, FALSE):
            parts.append(_encoded(type_, value))
        last = number
    parts.append(b"\0")
    return b"".join(parts)


def _encoded(type_: int, value: Value) -> bytes:
    if isinstance(value, bytes):
        return value if type_ in (DOUBLE, STRUCT) else _varint(len(value)) + value
    if isinstance(value, dict):
        return encoded(value)
    if isinstance(value, tuple):
        return _list(*value)
    return bytes((value,)) if type_ == I8 else _whole(value)


def _list(type_: int, items: list[Value]) -> bytes:
    count = len(items)
    head = bytes((min(count, _LONG) << 4 | type_,))
    if count >= _LONG:
        head += _varint(count)
    if type_ in (TRUE, FALSE):
        return head + bytes(TRUE if item else FALSE for item in items)
    return head + b"".join(_encoded(type_, item) for item in items)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _whole(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def structs(of: tuple[int, Value]) -> list[Struct]:
    """Return the structs of a list field."""
    return cast(list[Struct], cast(Items, of[1])[1])
