"""Which JSON lines may fit a schema, told one by one: one that does not fails all beside it."""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, cast

import msgspec
import numpy as np
import pyarrow as pa

METRICS = "metrics"
_KEPT = 32
_WHOLE = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[pa.DataType, object] = {
    pa.int64(): _WHOLE,
    pa.float64(): float,
    pa.string(): str,
    pa.bool_(): bool,
}


def may_fit(lines: pa.BinaryArray, schema: pa.Schema) -> np.ndarray:
    """Tell which lines say metrics, and nothing but the schema's fields in their types.

    A field that is there twice is not noticed. It takes about 1 us a line.
    """
    is_message = _check(schema)
    return np.fromiter(map(is_message, lines.to_pylist()), dtype=bool, count=len(lines))


@lru_cache(maxsize=_KEPT)
def _check(schema: pa.Schema) -> Callable[[bytes], bool]:
    decode = msgspec.json.Decoder(_struct(schema)).decode
    metrics = attrgetter(_attribute(schema.get_field_index(METRICS)))
    nothing = metrics(decode(b'{"%b":{}}' % METRICS.encode()))

    def is_message(line: bytes) -> bool:
        try:
            said = metrics(decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        return said is not msgspec.UNSET and bool(said != nothing)

    return is_message


def _struct(fields: pa.Schema | pa.StructType) -> type[msgspec.Struct]:
    """Return an object's type: any of the fields, no other one."""
    named = {_attribute(at): field for at, field in enumerate(fields)}
    types = [(name, _type(field.type), msgspec.UNSET) for name, field in named.items()]
    said = {name: field.name for name, field in named.items()}
    return msgspec.defstruct("Line", types, rename=said, forbid_unknown_fields=True, gc=False)


def _attribute(place: int) -> str:
    # A metric may be called what no attribute may be.
    return f"field_{place}"


def _type(of: pa.DataType) -> type:
    return cast(type, _struct(of) if pa.types.is_struct(of) else _TYPES[of])
