"""Lines to columns: all that fit are found, however the others lie among them."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms.lines import parsed, plain

SCHEMA = pa.schema([("seq", pa.int64()), ("metrics", pa.struct([("t", pa.float64())]))])
MISFITS = st.sampled_from(
    [
        b'{"seq":1,"metrics":{"t":"warm"}}',
        b'{"seq":1,"metrics":{"u":1}}',
        b'{"seq":1.5,"metrics":{"t":1}}',
        b'{"seq":1,"seq":2}',
        b'{"metrics":{"t":1,}}',
        b"{'seq':1}",
    ]
)


def good(number: int) -> bytes:
    """Return a line that fits; every third one begins otherwise than the others."""
    if number % 3:
        return b'{"seq":%d,"metrics":{"t":%d.5}}' % (number, number)
    return b'{"metrics":{"t":%d.5},"seq":%d}' % (number, number)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 300), MISFITS), max_size=4), st.integers(0, 300))
def test_every_line_that_fits_is_found(misfits: list[tuple[int, bytes]], count: int) -> None:
    said = [good(number) for number in range(count)]
    for place, line in misfits:
        said.insert(place, line)
    fitting = [n for n, line in enumerate(said) if line.startswith(b"{") and line in goods(count)]

    found = parsed(pa.array(said, pa.binary()), SCHEMA)

    assert sorted(found.places.tolist()) == fitting
    seqs = dict(zip(found.places.tolist(), found.columns["seq"].to_pylist(), strict=True))
    assert [seqs[place] for place in fitting] == [*range(count)]


def test_lines_of_two_objects_do_not_fit() -> None:
    said = [good(1), b"{}{}", good(2), b"{}x{}", good(4), b"{{}"]
    found = parsed(pa.array(said, pa.binary()), SCHEMA)
    assert {1, 3, 5}.isdisjoint(found.places.tolist())
    assert found.columns["seq"].to_pylist() == [(1, 0, 2, 0, 4)[n] for n in found.places.tolist()]


def goods(count: int) -> set[bytes]:
    """Return all lines that fit."""
    return {good(number) for number in range(count)}


def test_lines_that_are_not_plain() -> None:
    said = [
        b'{"seq":1}',
        b'{"a":"\\n"}',
        b'{"a":null}',
        b'{"a":1\n}',
        b'{"a":"\xff"}',
        b"[1]",
        b"",
        b"{",
        b'{"a":"' + b"x" * 70_000 + b'"}',
        b"{}",
    ]
    lines = pa.array([*said, None], pa.binary())
    assert plain(lines).tolist() == [True, *[False] * 8, True, False]
    assert plain(lines.slice(3)).tolist() == [*[False] * 6, True, False]
    assert plain(lines.slice(5, 2)).tolist() == [False, False]
