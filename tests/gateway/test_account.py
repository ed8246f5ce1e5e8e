"""The account: a page has the records that name it, whatever way they came."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from edge.mqtt.packets import Publish
from gateway.account import HOUR_US, Account, PageFiles, instance_of
from gateway.batches import ingest_batch
from gateway.channels import Channel
from gateway.fallback import FallbackOutlet
from gateway.identity import Identity
from gateway.rules import read_rules
from gateway.telling import Teller
from telemetry.accounts import PAGE_HEADER, Page, page_of
from telemetry.records import JSON
from telemetry.topics import GATEWAY_PAGES
from tests.gateway.entrances import MESSAGE, NOW_US, House, house
from tests.gateway.mqtt.clients import Broker, Client, telemetry
from tests.gateway.test_fallback import Answers, FakeKafka, drained, settled

RULES = b"""{"rules": [{"name": "plugs", "topic": "tele/#", "metrics": {"power": {"path": "P"}},
  "where": [{"path": "P", "op": ">=", "value": 5}]}]}"""


@pytest.fixture
def place() -> House:
    return house(is_anonymous=True)


def counts(place: House) -> tuple[int, int]:
    page = place.entrance.ingest.account.page
    return page.taken, page.acknowledged


def named(place: House) -> Counter[bytes]:
    return Counter(taken.headers[PAGE_HEADER] for taken in place.outlet.taken)


def client_of(place: House) -> Client:
    client = Client(Broker(place))
    client.connect()
    return client


def channel(place: House) -> Channel:
    identity = Identity("default", "d1", "local/test")
    found = place.entrance.channel(identity, "devices/d1/telemetry", protocol="http")
    assert isinstance(found, Channel)
    return found


def test_pages_are_told_after_the_clock_was_set_back() -> None:
    account = Account("one", NOW_US)
    for count, now in ((1, NOW_US + 1), (2, NOW_US - 24 * HOUR_US)):
        account.page.taken = account.page.acknowledged = count
        assert account.due(now, {})[0].taken == count


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_page_counts_what_mqtt_acknowledges(place: House, qos: int) -> None:
    client = client_of(place)
    client.send(*(telemetry(n, qos=qos) for n in (1, 2, 3)))

    assert counts(place) == (3, 3)
    assert named(place) == {place.entrance.ingest.account.page.name: 3}


def test_record_that_the_store_gives_up_is_taken_and_not_acknowledged(place: House) -> None:
    client = client_of(place)
    place.outlet.error = "timed out"
    client.send(telemetry(1))

    assert counts(place) == (1, 0)


def test_record_that_the_store_does_not_take_is_not_counted(place: House) -> None:
    client = client_of(place)
    place.outlet.is_away = True
    client.send(telemetry(1))

    assert counts(place) == (0, 0)


def test_what_cannot_be_read_is_acknowledged_once_it_is_kept(place: House) -> None:
    client = client_of(place)
    client.send(Publish("devices/d1/telemetry", b"{", 1, 1))

    assert [taken.topic for taken in place.outlet.taken] == ["telemetry.dead"]
    assert counts(place) == (1, 1)


def test_message_that_a_rule_leaves_out_counts_nowhere(place: House) -> None:
    place.entrance.rules = read_rules(RULES)
    client = client_of(place)
    client.send(Publish("tele/p1/SENSOR", b'{"P":1}', 1, 1))

    assert (place.outlet.taken, counts(place)) == ([], (0, 0))


def test_batch_is_of_the_page_on_which_it_began(place: House) -> None:
    ingest = place.entrance.ingest
    page = ingest.account.page

    async def over_the_hour() -> None:
        place.outlet.is_held = True
        sending = asyncio.create_task(
            ingest_batch(ingest, channel(place), [MESSAGE] * 2_500, content_type=JSON, now=NOW_US)
        )
        while not place.outlet.taken:
            await asyncio.sleep(0)
        ingest.account.due(page.began_at + HOUR_US, Counter())
        while len(place.outlet.taken) < 2_500:
            await asyncio.sleep(0)
        place.outlet.is_held = False
        place.outlet.poll()
        await sending

    asyncio.run(over_the_hour())

    assert ingest.account.page is not page
    assert (page.taken, page.acknowledged, counts(place)) == (2_500, 2_500, (0, 0))
    assert named(place) == {page.name: 2_500}
    assert ingest.taken == 2_500


def test_page_is_told_until_it_is_settled() -> None:
    begin = 17 * HOUR_US
    account = Account("abc", begin)
    (told,) = account.due(begin + 20_000_000, Counter())
    assert (told.instance, told.began_at, told.is_final) == ("abc", begin, False)
    assert account.due(begin + 40_000_000, Counter()) == []

    first, second = account.due(begin + HOUR_US, Counter())
    assert (first.name, first.is_final) == (told.name, False)
    assert second.name != told.name
    (last,) = account.due(begin + HOUR_US + 61_000_000, Counter())
    assert (last.name, last.is_final) == (told.name, True)
    assert account.due(begin + HOUR_US + 90_000_000, Counter()) == []


def test_account_is_told_when_the_gateway_stops(place: House) -> None:
    client_of(place).send(telemetry(1))

    asyncio.run(Teller(place.entrance.ingest, [place.outlet]).close(1.0))

    word = place.outlet.taken[-1]
    page = page_of(word.value)
    assert page is not None
    assert (word.topic, word.key) == (GATEWAY_PAGES.name, page.instance.encode())
    assert (page.taken, page.acknowledged, page.is_final) == (1, 1, True)


def test_page_says_once_that_a_disk_had_records_of_it_between_two_words(tmp_path: Path) -> None:
    place, kafka, answers = house(), FakeKafka(is_away=True), Answers()
    ingest = place.entrance.ingest
    outlet = FallbackOutlet(kafka, tmp_path, place.entrance.counters, most_bytes=1_000_000)
    name = ingest.account.page.name
    outlet.send("telemetry", b"d1", b"{}", {PAGE_HEADER: name}, answers.settle)
    settled(outlet, answers, 1)
    kafka.is_away = False
    drained(outlet)

    asyncio.run(Teller(ingest, [outlet]).tick())
    asyncio.run(Teller(ingest, [outlet]).close(1.0))

    words = [one for one in place.outlet.taken if one.topic == GATEWAY_PAGES.name]
    said = [page.spool for one in words if (page := page_of(one.value))]
    assert said == [{name.decode(): 0}, {}]


def test_instance_keeps_its_name(tmp_path: Path) -> None:
    name = instance_of(tmp_path / "gateway")

    assert instance_of(tmp_path / "gateway") == name
    assert instance_of(tmp_path / "other") != name


def test_files_hold_the_newest_word_on_each_page(tmp_path: Path) -> None:
    files = PageFiles(tmp_path / "pages")
    for taken in (1, 2):
        files.tell(Page("a-b-1", "a", 0, 1, taken, 1, False, {}))

    (path,) = (tmp_path / "pages").iterdir()
    page = page_of(path.read_bytes())
    assert page is not None
    assert page.taken == 2


@pytest.mark.parametrize("word", [b"", b"[]", b"{}", json.dumps({"name": "a' or 1"}).encode()])
def test_what_is_no_page_is_none(word: bytes) -> None:
    assert page_of(word) is None


def test_name_that_is_none_is_refused() -> None:
    page = Page("a-b-1", "a", 0, 1, 2, 1, False, {})
    assert page_of(page.encoded()) == page
    assert page_of(page._replace(name="a' or '1'='1").encoded()) is None


def test_disk_counts_its_records_by_page_over_a_new_start(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_away=True), Answers()
    counters = house().entrance.counters
    outlet = FallbackOutlet(kafka, tmp_path, counters, most_bytes=1_000_000)
    for name in (b"a-b-1", b"a-b-1", b"a-b-2"):
        outlet.send("telemetry", b"d1", b"{}", {PAGE_HEADER: name}, answers.settle)
    outlet.send("gateway.pages", b"a", b"{}", {}, answers.settle)
    settled(outlet, answers, 4)
    assert outlet.spooled == {b"a-b-1": 2, b"a-b-2": 1}
    outlet.close(1.0)

    again = FallbackOutlet(kafka, tmp_path, counters, most_bytes=1_000_000)
    assert again.spooled == {b"a-b-1": 2, b"a-b-2": 1}
    kafka.is_away = False
    drained(again)
    assert again.spooled == {b"a-b-1": 0, b"a-b-2": 0}
    names = [taken.headers.get(PAGE_HEADER) for taken in kafka.taken]
    assert names == [b"a-b-1", b"a-b-1", b"a-b-2", None]
