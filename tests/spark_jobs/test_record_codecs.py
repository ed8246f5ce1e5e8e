"""Record batches come out as they went in, and none larger than it may be."""

import gzip
import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from spark_jobs.record_codecs import decompressed

PACK: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: gzip.compress,
    3: lambda content: pa.Codec("lz4").compress(content).to_pybytes(),
    4: lambda content: pa.Codec("zstd").compress(content).to_pybytes(),
}
NOISE = random.Random(1).randbytes(2_500_000)


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize("size", [0, 1, 20_000, 2_500_000])
def test_what_was_packed_comes_out(codec: int, size: int) -> None:
    for content in (bytes(size), NOISE[:size]):
        assert decompressed(memoryview(PACK[codec](content)), codec) == content


@pytest.mark.parametrize("codec", [1, 3, 4])
@pytest.mark.parametrize("most", [999, 99_999])
def test_what_is_larger_than_it_may_be_does_not_come_out(codec: int, most: int) -> None:
    assert decompressed(memoryview(PACK[codec](bytes(most))), codec, most) == bytes(most)
    for more in (1, 50 * most):
        assert decompressed(memoryview(PACK[codec](bytes(most + more))), codec, most) is None


def test_what_is_not_known_is_not_read() -> None:
    assert decompressed(memoryview(b"x"), 2) is None
    assert decompressed(memoryview(gzip.compress(b"a") + gzip.compress(b"b")), 1) is None
