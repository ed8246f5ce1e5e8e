"""Lines to columns: all that fit are found, however the others lie among them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.poison import BODIES
from spark_jobs.transforms.lines import alike, beginnings, parsed, plain, read_all

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


MISFITS_LIKE_MOST = (
    b'{"seq":1,"metrics":{"t":"warm"}}',
    b'{"seq":1,"metrics":{"t":1,"u":1}}',
    b'{"seq":1.5,"metrics":{"t":1}}',
    b'{"seq":1,"metrics":{"t":1e400}}',
    b'{"seq":1,"metrics":{"t":1,}}',
    b'{"seq":1,"metrics":{"t":01}}',
    b'{"seq":9223372036854775808,"metrics":{"t":1}}',
    b'{"seq":1,"metrics":{"t":1}}{"seq":1,"metrics":{"t":1}}',
    b'{"seq":1,"metrics":{"t":[[[[1]]]]}}',
    b'{"seq":1,"extra":{"a":{"b":1}},"metrics":{"t":1}}',
)


@pytest.mark.parametrize("misfits", [MISFITS_LIKE_MOST, *zip(MISFITS_LIKE_MOST, strict=True)])
def test_one_misfit_in_a_hundred_has_lines_parsed_but_twice(misfits: tuple[bytes, ...]) -> None:
    said = [b'{"seq":%d,"metrics":{"t":%d.5}}' % (number, number) for number in range(5000)]
    wrong = range(50, 5000, 100)
    for nth, place in enumerate(wrong):
        said[place] = misfits[nth % len(misfits)]
    asked: list[int] = []

    def counted(lines: pa.BinaryArray, schema: pa.Schema) -> tuple[pa.Table | None, int | None]:
        asked.append(len(lines))
        return read_all(lines, schema)

    found = parsed(pa.array(said, pa.binary()), SCHEMA, counted)

    fitting = sorted({*range(5000)}.difference(wrong))
    assert found.places.tolist() == fitting
    assert found.columns["seq"].to_pylist() == fitting
    assert asked == [5000, 4950]


def test_field_that_is_there_twice_is_closed_in_on() -> None:
    said = [b'{"seq":%d,"metrics":{"t":1}}' % number for number in range(900)]
    for place in (7, 300, 301, 899):
        said[place] = b'{"seq":1,"metrics":{"t":1,"t":2}}'

    found = parsed(pa.array(said, pa.binary()), SCHEMA)

    expected = sorted({*range(900)} - {7, 300, 301, 899})
    assert sorted(found.places.tolist()) == expected
    assert sorted(found.columns["seq"].to_pylist()) == expected


def test_poison_begins_unlike_most_and_is_parsed_with_none_of_them() -> None:
    said = [b'{"v":1,"seq":%d,"metrics":{"t":1}}' % number for number in range(500)]
    said[10:10] = [body for body, _ in BODIES]
    lines = pa.array(said, pa.binary())

    usual, others = alike(beginnings(lines), np.arange(len(lines)))

    assert [said[row] for row in usual] == [*said[:10], *said[10 + len(BODIES) :]]
    assert [said[row] for row in others] == [body for body, _ in BODIES]


@pytest.mark.parametrize("said", [[b"{}"], [b"", None, b""], [b"{}", b"{}", b'{"seq":1}']])
def test_short_lines_and_none_have_a_beginning(said: list[bytes | None]) -> None:
    lines = pa.array(said, pa.binary())
    places = [row for rows in alike(beginnings(lines), np.arange(len(said))) for row in rows]
    assert sorted(places) == [*range(len(said))]


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
