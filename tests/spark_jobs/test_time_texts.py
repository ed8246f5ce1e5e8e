"""Times of devices: columns read what `parse_time` reads of each of them."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms.time_texts import device_times, usual
from telemetry.message import parse_time

USUAL = [
    "2026-11-28T18:11:24.015Z",
    "2026-11-28T18:11:24Z",
    "2026-11-28T18:11:24.015123Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
]
ODD = [
    "0000-01-01T00:00:00.000Z",
    "2026-11-31T18:11:24.015Z",
    "2026-11-28T24:11:24Z",
    "2026-11-28T18:11:24.015z",
    "2026-11-28 18:11:24.015Z",
    "2026-11-28T18:11:24+01:00",
    "2026-11-28T18:11:2/.015Z",
    "2026-11-28T18:11:2:.015Z",
    "\u0662026-11-28T18:11:24.01",
    "",
    "now",
]


def replaced(text: str, place: int, sign: str) -> str:
    at = place % max(len(text), 1)
    return text[:at] + sign + text[at + 1 :]


CHANGED = st.builds(
    replaced, st.sampled_from(USUAL), st.integers(0, 30), st.characters(max_codepoint=0x7FF)
)
TEXTS = st.lists(st.sampled_from([*USUAL, *ODD]) | CHANGED | st.none(), max_size=8)


@settings(deadline=None)
@given(TEXTS, st.integers(0, 2))
def test_times_are_those_of_each_text(texts: list[str | None], skipped: int) -> None:
    times, is_time = device_times(pa.array(texts, pa.string()).slice(skipped))
    left = texts[skipped:]
    expected = [None if text is None else parse_time(text) for text in left]
    assert times.cast(pa.int64()).to_pylist() == expected
    assert is_time.tolist() == [
        text is None or said is not None for text, said in zip(left, expected, strict=True)
    ]


def test_forms_of_most_devices_are_not_read_one_by_one() -> None:
    assert usual(pa.array(USUAL)).all()
    assert not usual(pa.array(ODD))[[0, 3, 4, 5, 6, 7, 8, 9, 10]].any()
