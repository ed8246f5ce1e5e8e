"""Statistics hold every value between their bounds, however long or old it is."""

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.bounds import LONGEST, greatest, least

letters = st.characters(max_codepoint=0x10FFFE, exclude_categories=["Cs"])
texts = st.text(letters, max_size=4).map(lambda text: text * 100)


@given(texts)
def test_text_is_between_its_bounds(text: str) -> None:
    low, high = least(text), greatest(text)
    assert isinstance(low, str)
    assert isinstance(high, str)
    assert low.encode() <= text.encode() <= high.encode()
    assert max(len(low), len(high)) <= LONGEST + 1


def test_what_is_short_stays_as_it_is() -> None:
    for value in ("meter.d1", 7, 0.5, None):
        assert (least(value), greatest(value)) == (value, value)


def test_years_have_four_digits() -> None:
    at = datetime(1, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert least(at) == greatest(at) == "0001-01-02T03:04:05.000006Z"
    assert least(date(1, 1, 2)) == "0001-01-02"
