"""A product whose rows would be dropped while they are needed is refused, with both numbers."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import ProductError
from telemetry.products import DEFAULT_PRODUCT, product_from_dict, product_to_dict
from telemetry.retention import Kept, Reach, shortfalls

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({"max_age": "90 d"}, ("90 d", "91 d")),
        ({"retention": "30 d", "max_age": "30 d"}, ("30 d", "31 d")),
        ({"retention": "7 d", "max_age": "5 d", "sliding": {"width": "3 d", "every": "1 h"}},
         ("7 d", "8 d")),
        ({"max_age": "60 d", "session_gap": "31 d"}, ("90 d", "91 d")),
        ({"max_age": "unbounded"}, ("90 d", "unbounded")),
        ({"max_age": "60 d", "dedup_horizon": "40 d"}, ("90 d", "100 d")),
        ({"dedup_horizon": "unbounded"}, ("90 d", "unbounded")),
        ({"lateness": "unbounded", "max_age": "100 d"}, ("90 d", "101 d")),
        ({"lateness": "unbounded", "max_age": "unbounded"}, ("90 d", "unbounded")),
        ({"lateness": "unbounded", "max_age": "unbounded", "retention": "4000 d"},
         ("4000 d", "unbounded")),
    ],
)  # fmt: skip
def test_retention_that_eats_what_is_needed_is_refused(
    said: dict[str, object], numbers: tuple[str, str]
) -> None:
    with pytest.raises(ProductError) as refused:
        product_from_dict({"product": "meter", **said})

    assert all(number in str(refused.value) for number in numbers)
    assert str(refused.value).startswith("product meter: retention")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"max_age": "80 d"},
        {"max_age": "60 d", "session_gap": "30 d"},
        {"max_age": "unbounded", "retention": "forever"},
        {"max_age": "unbounded", "lateness": "unbounded", "retention": "history"},
        {"max_age": "unbounded", "lateness": "unbounded", "retention": "forever"},
        product_to_dict(DEFAULT_PRODUCT),
    ],
)
def test_what_is_kept_long_enough_is_taken(said: dict[str, object]) -> None:
    product_from_dict({"product": "meter", **said})


def test_bronze_that_goes_before_silver_is_told() -> None:
    reach = Reach(DAY, DAY, DAY)
    kept = Kept("default", 90 * DAY, bronze_span=60 * DAY)
    (told,) = shortfalls(reach, kept)
    assert "90 d" in told
    assert "60 d" in told


spans = st.integers(0, 60).map(lambda days: days * DAY)


@given(spans, spans, spans, spans)
def test_a_product_is_taken_where_every_day_that_is_needed_is_kept(
    lateness: timedelta, max_age: timedelta, horizon: timedelta, span: timedelta
) -> None:
    # A row that comes today may be of any of these days, and its day's window begins before it.
    late = {max_age // DAY + 1}
    copies = {(max_age + horizon) // DAY}
    is_met = max(late | copies) <= span // DAY
    assert is_met == (not list(shortfalls(Reach(lateness, max_age, horizon), Kept("x", span))))
