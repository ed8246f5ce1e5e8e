"""Footers of Parquet files, taken apart and put together: Thrift's compact protocol.

A struct is its fields by number, each with its type; what no one here changes stays as it came.
"""

from collections.abc import Mapping
from typing import TypeAlias, cast

TRUE, FALSE, I8, I16, I32, I64 = 1, 2, 3, 4, 5, 6
DOUBLE, BINARY, LIST, SET, STRUCT = 7, 8, 9, 10, 12
MAGIC = b"PAR1"
_WHOLE, _NESTED = (I16, I32, I64), (LIST, SET, STRUCT)
_TAIL = 8
_LONG, _SHORT = 15, 16
"""More items have a count of their own; below, the number of a field stands behind its type."""

Value: TypeAlias = "bool | int | bytes | Items | Struct"
Items: TypeAlias = "tuple[int, list[Value]]"
"""The type of a list's items, and the items; structs among them may be encoded already."""
Struct: TypeAlias = "dict[int, tuple[int, Value]]"
Parts: TypeAlias = "Mapping[int, Parts]"
"""Fields of a struct whose structs or lists are taken apart, each with those of what is in it."""


def footer(file: bytes | memoryview, parts: "Parts | None" = None) -> tuple[Struct, int]:
    """Return the footer of a whole file, and where it begins.

    Of structs and lists those that `parts` names are taken apart, None for all; others stay
    encoded, which is most of the work where there are many columns.
    """
    size = int.from_bytes(file[-_TAIL:-4], "little")
    start = len(file) - _TAIL - size
    return _Reader(bytes(file[start:-_TAIL])).struct(parts), start


def tail(footer: Mapping[int, tuple[int, Value]]) -> bytes:
    """Return the end of a file: its footer, the size of that, and the magic bytes."""
    packed = encoded(footer)
    return b"".join((packed, len(packed).to_bytes(4, "little"), MAGIC))


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self, parts: "Parts | None") -> Struct:
        found: Struct = {}
        number = 0
        while head := self._byte():
            type_, step = head & 15, head >> 4
            number = number + step if step else self._whole()
            if type_ in _WHOLE:
                found[number] = type_, self._whole()
            elif parts is None or type_ not in _NESTED:
                found[number] = type_, self._value(type_, None)
            elif number in parts:
                found[number] = type_, self._value(type_, parts[number])
            else:
                found[number] = type_, self._bytes(_end(self._content, self._at, type_) - self._at)
        return found

    def _value(self, type_: int, parts: "Parts | None") -> Value:
        match type_:
            case 4 | 5 | 6:
                return self._whole()
            case 8:
                return self._bytes(self._varint())
            case 12:
                return self.struct(parts)
            case 9 | 10:
                return self._items(parts)
            case 1 | 2:
                return type_ == TRUE
            case 3:
                return self._byte()
            case 7:
                return self._bytes(8)
        raise ValueError(f"no Parquet footer has a field of type {type_}")

    def _items(self, parts: "Parts | None") -> Items:
        head = self._byte()
        count, type_ = head >> 4, head & 15
        if count == _LONG:
            count = self._varint()
        if type_ in (TRUE, FALSE):
            return type_, [self._byte() == TRUE for _ in range(count)]
        return type_, [self._value(type_, parts) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._content[self._at - count : self._at]

    def _varint(self) -> int:
        found, self._at = _number(self._content, self._at)
        return found

    def _whole(self) -> int:
        number, self._at = _number(self._content, self._at)
        return (number >> 1) ^ -(number & 1)


def _end(content: bytes, at: int, type_: int) -> int:
    """Return where a value ends that begins at a place."""
    if type_ == STRUCT:
        return _struct_end(content, at)
    if type_ in (LIST, SET):
        return _items_end(content, at)
    if type_ == BINARY:
        size, at = _number(content, at)
        return at + size
    if type_ in (I8, DOUBLE):
        return at + (1 if type_ == I8 else 8)
    return _number(content, at)[1]


def _struct_end(content: bytes, at: int) -> int:
    while head := content[at]:
        at += 1
        type_ = head & 15
        if head < _SHORT:
            at = _number(content, at)[1]
        if type_ in _WHOLE:
            # Most are numbers.
            while content[at] > 127:
                at += 1
            at += 1
        elif type_ > FALSE:
            at = _end(content, at, type_)
    return at + 1


def _items_end(content: bytes, at: int) -> int:
    count, type_ = content[at] >> 4, content[at] & 15
    count, at = (count, at + 1) if count < _LONG else _number(content, at + 1)
    for _ in range(count):
        at = _end(content, at, type_) if type_ > FALSE else at + 1
    return at


def _number(content: bytes, at: int) -> tuple[int, int]:
    """Return a varint, and where it ends."""
    found = shift = 0
    while (byte := content[at]) > 127:
        found |= (byte & 127) << shift
        shift += 7
        at += 1
    return found | byte << shift, at + 1


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
        return _varint(len(value)) + value if type_ == BINARY else value
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
