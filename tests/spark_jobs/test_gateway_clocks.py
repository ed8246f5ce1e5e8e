"""Pages of gateways whose clocks, or the broker's, were set back: order says what is newer."""

from datetime import UTC, datetime

from spark_jobs.lake import Lake
from spark_jobs.transforms.gateway_pages import Told, ledger
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.test_gateway_conservation import (
    BEGIN,
    END,
    HOUR,
    MINUTE,
    NAME,
    NOW,
    Said,
    judged,
    land,
    micros,
    page,
)

SET_BACK = BEGIN + 2 * MINUTE


def test_word_that_a_disk_held_is_no_newer_one() -> None:
    held = Told(page(taken=3, acknowledged=3, is_final=False), END + MINUTE)
    assert ledger([Told(page(), END), held]).pages[NAME].page.taken == 10


def test_page_that_spans_a_clock_set_back_is_judged_by_its_last_word(lake: Lake) -> None:
    create_all(lake)
    ahead = BEGIN + 5 * HOUR
    begun = page(began_at=micros(ahead), acknowledged=0, taken=0, is_final=False)
    words = [
        begun._replace(taken=4, acknowledged=4, told_at=micros(ahead + 10 * MINUTE)),
        begun._replace(taken=10, acknowledged=10, told_at=micros(SET_BACK)),
        page("a1-e1-2", began_at=micros(SET_BACK), told_at=micros(SET_BACK), is_final=False),
        begun._replace(taken=10, acknowledged=10, told_at=micros(NOW - MINUTE), is_final=True),
    ]
    said = [Told(word, datetime.fromtimestamp(word.told_at / 1e6, UTC)) for word in words]
    land(lake, 4, at=ahead)
    land(lake, 5, at=SET_BACK)

    assert judged(lake, Said(said)) == [], "what came by the clock that was ahead may still land"
    (found,) = judged(lake, Said(said), landed_until=ahead + HOUR)

    assert found.told.page == words[-1]
    assert (found.telemetry, found.holds) == (9, False), "one of ten is lost"
