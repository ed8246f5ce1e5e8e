"""The gateways' side of conservation: what they acknowledged against what is there."""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.durable_files import replace_durably
from spark_jobs.jobs import conservation
from spark_jobs.jobs.conservation import ConservationError
from spark_jobs.jobs.gateway_conservation import balanced_pages, keep
from spark_jobs.jobs.job_runs import Result
from spark_jobs.jobs.landed_tables import landed_tables
from spark_jobs.jobs.landed_until import LandedUntil
from spark_jobs.lake import Lake
from spark_jobs.transforms.gateway_pages import PageBalance, Told, ledger
from telemetry.accounts import PAGE_HEADER, Page
from telemetry.settings import Settings
from telemetry.tables import GATEWAY_CONSERVATION, MESSAGES
from tests.spark_jobs.empty_lakes import create_all

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
BEGIN = NOW.replace(minute=0) - 2 * HOUR
END = BEGIN + HOUR + MINUTE
NAME = "a1-e1-1"


def micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def page(name: str = NAME, **changes: object) -> Page:
    plain = Page(name, name.partition("-")[0], micros(BEGIN), micros(END), 10, 10, True, {})
    return plain._replace(**changes)  # type: ignore[arg-type]


@dataclass
class Said:
    """What gateways have told, and the records of theirs that do not land."""

    words: list[Told]
    others: Mapping[str, Counter[str]] = field(default_factory=dict)

    def told(self) -> Iterable[Told]:
        return self.words

    def kept(self, since: datetime) -> dict[str, Counter[str]]:
        assert since <= BEGIN
        return {name: self.others.get(name, Counter()) for name in ("dead", "uplink")}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(Settings(home=tmp_path).lake_root)
    create_all(made)
    return made


def land(
    lake: Lake,
    count: int,
    name: str | None = NAME,
    *,
    at: datetime = BEGIN,
    topic: str = "telemetry",
) -> None:
    """Put records of a page into bronze."""
    headers = [{"key": "tenant", "value": b"default"}]
    headers += [{"key": PAGE_HEADER, "value": name.encode()}] if name else []
    schema = lake.scan(MESSAGES).collect_schema()
    row = {
        "topic": topic,
        "partition": 0,
        "offset": 0,
        "kafka_time": at,
        "received_at": at,
        "received_date": at.date(),
        "tenant": "default",
        "product": "meter",
        "items": 1,
        "headers": headers,
    }
    rows = [{column: row.get(column) for column in schema}] * count
    lake.append(MESSAGES, pl.DataFrame(rows, schema=schema), None)


def judged(
    lake: Lake, said: Said, *, landed_until: datetime = NOW, now: datetime = NOW
) -> list[PageBalance]:
    until = LandedUntil({}, {"telemetry": landed_until})
    pages = balanced_pages(said, lake, landed_tables(lake, Path("/none")), until, now)
    keep(lake, pages, now)
    return pages


def rows(lake: Lake) -> list[dict[str, object]]:
    return lake.scan(GATEWAY_CONSERVATION).sort("page").collect().to_dicts()


def test_records_are_counted_in_every_place(lake: Lake) -> None:
    land(lake, 6)
    land(lake, 1, at=END)
    land(lake, 5, "a1-e1-2")
    land(lake, 5, None)
    said = Said([Told(page(), END)], {"dead": Counter({NAME: 2}), "uplink": Counter({NAME: 1})})

    judged(lake, said)

    (row,) = rows(lake)
    assert [row[name] for name in ("telemetry", "dead", "uplink", "spooled")] == [7, 2, 1, 0]
    assert [row[name] for name in ("acknowledged", "difference", "holds")] == [10, 0, True]
    assert (row["gateway"], row["hour"], row["is_final"]) == ("a1", BEGIN, True)


def test_page_is_judged_once(lake: Lake) -> None:
    land(lake, 10)
    said = Said([Told(page(), END)])

    assert len(judged(lake, said)) == 1
    assert judged(lake, said) == []


def test_lost_record_is_told_until_it_is_there(lake: Lake) -> None:
    land(lake, 9)
    said = Said([Told(page(), END)])

    for _ in range(2):
        (found,) = judged(lake, said)
        assert (found.difference, found.holds) == (-1, False)
    assert NAME in found.sentence()
    land(lake, 1)
    assert judged(lake, said)[0].holds
    assert [row["difference"] for row in rows(lake)] == [0]


def test_record_that_nobody_sent_is_told(lake: Lake) -> None:
    land(lake, 11)
    assert not judged(lake, Said([Told(page(), END)]))[0].holds


def test_records_whose_acknowledgement_was_given_up_may_be_there(lake: Lake) -> None:
    land(lake, 11)
    assert judged(lake, Said([Told(page(taken=12), END)]))[0].holds


def test_page_waits_until_landing_has_passed_it(lake: Lake) -> None:
    said = Said([Told(page(), END)])
    assert judged(lake, said, landed_until=END) == []
    land(lake, 10)
    assert judged(lake, said, landed_until=END + 3 * MINUTE)[0].holds


def test_page_whose_gateway_still_tells_is_not_over(lake: Lake) -> None:
    at = NOW - MINUTE
    assert judged(lake, Said([Told(page(is_final=False, told_at=micros(at)), at)])) == []


def test_killed_gateway_is_held_to_its_last_word(lake: Lake) -> None:
    land(lake, 12)
    killed = Told(page(is_final=False), END)
    after = Told(page("a1-e2-1", began_at=micros(NOW), is_final=False), NOW)

    (found,) = judged(lake, Said([killed, after]))

    assert (found.told, found.difference, found.holds) == (killed, 2, True)
    later = page(taken=13, acknowledged=13, told_at=micros(END) + 1)
    assert not judged(lake, Said([Told(later, END), after]))[0].holds


def test_what_is_on_a_disk_is_there_and_counted_again_once_it_is_drained(lake: Lake) -> None:
    land(lake, 7)
    after = page("a1-e2-1", began_at=micros(NOW), is_final=False)
    spooling = [Told(page(), END), Told(after._replace(spool={NAME: 3}), NOW - 2 * MINUTE)]
    until = NOW + HOUR
    (found,) = judged(lake, Said(spooling), landed_until=until)
    assert (found.spooled, found.difference, found.holds) == (3, 0, True)

    # Handed on twice by a gateway that was killed meanwhile: a copy is no loss.
    land(lake, 4, at=NOW)
    drained = [*spooling, Told(after, NOW - MINUTE)]
    (found,) = judged(lake, Said(drained), landed_until=until)
    assert (found.telemetry, found.spooled, found.difference, found.holds) == (11, 0, 1, True)


def test_page_that_was_on_a_disk_between_two_words_may_have_copies(lake: Lake) -> None:
    land(lake, 11)
    after = page("a1-e2-1", began_at=micros(NOW), is_final=False)
    said = [Told(page(spool={NAME: 0}), END), Told(after, NOW)]

    (found,) = judged(lake, Said(said), landed_until=NOW + MINUTE)

    assert (found.telemetry, found.was_spooled, found.holds) == (11, True, True)


def test_what_was_drained_too_few_is_lost(lake: Lake) -> None:
    land(lake, 9)
    after = page("a1-e2-1", began_at=micros(NOW), is_final=False)
    said = [Told(page(), END), Told(after._replace(spool={NAME: 3}), END), Told(after, NOW)]
    assert judged(lake, Said(said), landed_until=NOW + MINUTE) == []
    (found,) = judged(lake, Said(said), landed_until=NOW + HOUR)
    assert (found.difference, found.holds) == (-1, False)


def test_each_gateway_has_its_own_account(lake: Lake) -> None:
    land(lake, 9)
    land(lake, 11, "b2-e1-1")
    said = Said([Told(page(), END), Told(page("b2-e1-1", taken=11), END)])

    assert {one.told.page.name: one.holds for one in judged(lake, said)} == {
        NAME: False,
        "b2-e1-1": True,
    }


def check(settings: Settings, now: datetime = NOW) -> Result:
    parser = argparse.ArgumentParser()
    conservation.add_arguments(parser)
    return conservation.check(parser.parse_args([]), settings, Lake(settings.lake_root), now)


def test_job_reads_the_files_of_a_light_stack_and_fails_for_a_loss(lake: Lake) -> None:
    settings = Settings(home=Path(lake.root).parent)
    replace_durably(settings.home / "stack.json", b'{"mode": "light"}')
    replace_durably(settings.gateway_dir / "pages" / f"{NAME}.json", page().encoded())
    land(lake, 9, topic="spool")

    with pytest.raises(ConservationError, match=f"{NAME}.*10 records acknowledged.*9 there"):
        check(settings, datetime.now(UTC) + HOUR)


def test_stack_without_gateways_has_no_pages(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    create_all(Lake(settings.lake_root))
    assert "not_checked" in check(settings)["gateways"]  # type: ignore[operator]


@given(
    fates=st.lists(st.sampled_from(["acknowledged", "given up", "refused"])),
    there=st.data(),
)
def test_no_order_of_events_breaks_the_bounds(fates: list[str], there: st.DataObject) -> None:
    """Whatever becomes of records that were taken, acknowledged <= there <= taken."""
    acknowledged = fates.count("acknowledged")
    given_up = there.draw(st.integers(0, fates.count("given up")))
    told = Told(page(taken=len(fates), acknowledged=acknowledged), END)

    assert PageBalance(told, acknowledged + given_up).holds
    assert not PageBalance(told, acknowledged - 1).holds
    assert not PageBalance(told, len(fates) + 1).holds
    hidden = PageBalance(told, acknowledged + given_up - 1)
    assert hidden.holds == (given_up > 0), "a record never acknowledged stands for a lost one"
    if hidden.is_exact:
        assert not hidden.holds


def test_page_is_exact_where_all_that_was_taken_is_acknowledged_and_no_word_can_lack() -> None:
    told = Told(page(), END)
    assert PageBalance(told, 10).is_exact
    assert not PageBalance(told, 10, was_spooled=True).is_exact
    assert not PageBalance(Told(page(taken=11), END), 10).is_exact
    assert not PageBalance(Told(page()._replace(is_final=False), END), 10).is_exact


def test_newest_word_on_a_page_counts() -> None:
    first = Told(page(taken=3, acknowledged=3, told_at=micros(BEGIN), spool={NAME: 2}), BEGIN)
    last = Told(page(), END)

    known = ledger([first, last])

    assert known.pages == {NAME: last}
    assert not known.spooled
    assert known.spooled_at == {NAME: END}


def test_page_waits_for_the_word_that_its_disk_is_empty_and_for_no_later_one() -> None:
    after = page("a1-e2-1", began_at=micros(NOW), is_final=False)
    words = [Told(page(), END), Told(after._replace(spool={NAME: 3}), END + MINUTE)]
    words += [Told(after, END + minutes * MINUTE) for minutes in (5, 9)]

    known = ledger(words)

    assert known.needed_at(known.pages[NAME]) == END + 5 * MINUTE
    assert known.needed_at(known.pages["a1-e2-1"]) == END + 9 * MINUTE
    assert ledger(words[:2]).needed_at(words[0]) == END + MINUTE
