"""Record batches decompressed, up to a bound: few bytes may say very many."""

import zlib
from collections.abc import Callable

import pyarrow as pa
from kafka.codec import lz4_decode

MOST_BYTES = 256 * 1024 * 1024
"""Of a batch: places in it are 32 bits wide, and all of it is in memory."""
_GZIP_FORM = 16 + zlib.MAX_WBITS
_LZ4_TIMES = 255
"""No bytes of LZ4 say more than so many times their number."""
_PIECE_TIMES = 16
_LEAST_PIECE, _MOST_PIECE = 16 * 1024, 1024 * 1024


def decompressed(content: memoryview, codec: int, most: int = MOST_BYTES) -> bytes | None:
    """Return a batch's records by the number of its codec.

    None for what is not read here: another codec, or more bytes than `most`.
    """
    if not codec:
        return bytes(content)
    if codec not in _CODECS:
        return None
    found = _CODECS[codec](content, most)
    return None if found is None or len(found) > most else found


def _gzip(content: memoryview, most: int) -> bytes | None:
    unpacking = zlib.decompressobj(_GZIP_FORM)
    found = unpacking.decompress(content, most + 1)
    # What stands behind its end is another one, which no producer writes.
    return None if unpacking.unused_data else found


def _lz4(content: memoryview, most: int) -> bytes | None:
    is_small = len(content) * _LZ4_TIMES <= most
    return bytes(lz4_decode(content)) if is_small else _in_pieces(content, "lz4", most)


def _zstd(content: memoryview, most: int) -> bytes | None:
    return _in_pieces(content, "zstd", most)


def _in_pieces(content: memoryview, compression: str, most: int) -> bytes | None:
    """Read until there is no more; None once it is more than is asked for."""
    piece = min(max(len(content) * _PIECE_TIMES, _LEAST_PIECE), _MOST_PIECE)
    parts, size = [], 0
    with pa.input_stream(pa.py_buffer(content), compression=compression) as stream:
        while part := stream.read(piece):
            parts.append(part)
            size += len(part)
            if size > most:
                return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


_CODECS: dict[int, Callable[[memoryview, int], bytes | None]] = {1: _gzip, 3: _lz4, 4: _zstd}
