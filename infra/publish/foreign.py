"""Files that are neither CSV nor NDJSON, told by their first bytes, and what to do with them."""

import codecs
from collections.abc import Sequence

import orjson

from telemetry.errors import HeadwaterError

_PACKED = (
    (b"BZh", "is packed with bzip2: bzcat FILE | headwater publish -"),
    (b"\xfd7zXZ\x00", "is packed with xz: xzcat FILE | headwater publish -"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd: zstd -dc FILE | headwater publish -"),
    (b"PK\x03\x04", "is a zip (or a spreadsheet: save it as CSV): unzip -p FILE | headwater"
                    " publish -"),
    (b"PAR1", "is Parquet: write it as CSV first"),
)  # fmt: skip
_UTF_16 = "the file is UTF-16: convert it first, iconv -f UTF-16 -t UTF-8"


def refuse_foreign(lines: Sequence[bytes]) -> None:
    """Raise `HeadwaterError` with the way out where a file's first lines are no table's."""
    first = lines[0] if lines else b""
    for magic, way_out in _PACKED:
        if first.startswith(magic):
            raise HeadwaterError(f"the file {way_out}")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise HeadwaterError(_UTF_16)
    if sum(b"\0" in line for line in lines) * 2 > len(lines):
        raise HeadwaterError(f"the file is no text, or {_UTF_16.removeprefix('the file is ')}")
    if len(lines) == 1 and b"\r" in first.rstrip(b"\r"):
        raise HeadwaterError(
            "the file's lines end in CR alone: tr '\\r' '\\n' < FILE | headwater publish -"
        )
    begins_value = first.strip() in (b"[", b"{") or first.lstrip().startswith((b"[{", b"[ {"))
    if begins_value and sum(map(_is_object, lines)) * 2 < len(lines):
        raise HeadwaterError(
            "the file is one JSON value, not one in each line:"
            " jq -c '.[]?' FILE | headwater publish - (jq -c . for an object)"
        )


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
