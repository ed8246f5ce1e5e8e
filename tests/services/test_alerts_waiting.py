"""What is urgent and stands far behind in a receiver's outbox waits for its own device alone."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from services.alerts.outbox import chosen
from services.alerts.tables import MESSAGES
from services.alerts.waiting import AT_ONCE, MOST_AHEAD, Line
from tests.services import postgresql
from tests.services.alert_parts import AWAY, HOUR, OK, SECOND, Desk, alert

HUB = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
route: {to: [hub], group_by: [alert], group_wait: 0 s, group_interval: 1 s}
"""
MANY, FEW = AT_ONCE + 50, 10


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    url = None
    if request.param == "postgresql":
        url = postgresql.fresh_database(request.getfixturevalue("postgresql_socket"))
    found = Desk(tmp_path, HUB, url=url)
    yield found
    found.database.dispose()


def outage(desk: Desk, device: str) -> list[tuple[str, str]]:
    """Return what a sink gets first once it is back: of many devices one became critical."""
    desk.sinks["hub"].answer = AWAY
    desk.take(*(alert(f"pump.p{number}", number) for number in range(MANY)))
    desk.turn(3 * SECOND)
    desk.take(alert(device, MANY, severity="critical"))
    desk.turn(2 * SECOND)
    desk.sinks["hub"].answer = OK
    desk.time += HOUR
    while len(desk.got("hub")) < 3:
        desk.deliver(1)
    told = [one for got in desk.got("hub") for one in got.content["alerts"]]  # type: ignore[attr-defined]
    return [(one["device"], one["severity"]) for one in told]


def test_after_an_outage_what_is_critical_goes_first(desk: Desk) -> None:
    assert outage(desk, "fan.f1")[0] == ("fan.f1", "critical")


def test_what_becomes_critical_takes_what_was_told_of_its_device_along(desk: Desk) -> None:
    last = f"pump.p{MANY - 1}"

    assert outage(desk, last)[:2] == [(last, "warning"), (last, "critical")]


def put(desk: Desk, *queued: tuple[list[str] | None, bool]) -> None:
    """Queue messages of lanes, urgent or not."""
    rows: list[dict[str, object]] = [
        {
            "number": number,
            "key": f"{number:032x}",
            "tenant": "default",
            "receiver": "hub",
            "kind": "alerts",
            "is_urgent": is_urgent,
            "lanes": lanes,
            "content": {},
            "alerts": 1,
            "created_at": desk.time,
            "state": "waiting",
            "tries": 0,
            "next_at": desk.time,
        }
        for number, (lanes, is_urgent) in enumerate(queued)
    ]
    with desk.engine.turns.writing() as connection:
        connection.execute(insert(MESSAGES), rows)


def order(desk: Desk, at_once: int = FEW) -> list[int]:
    """Return the messages in the order in which they are chosen."""
    line, found = Line("hub", desk.engine.turns, at_once), list[int]()
    while message := chosen(line.read(desk.time), desk.time):
        found.append(message.number)
        with desk.engine.turns.writing() as connection:
            this = MESSAGES.c.number == message.number
            connection.execute(update(MESSAGES).where(this).values(state="delivered"))
    return found


def calm(count: int) -> list[tuple[list[str] | None, bool]]:
    return [([f"d{number}"], False) for number in range(count)]


def test_what_is_urgent_waits_for_a_message_that_is_in_everybodys_order(desk: Desk) -> None:
    put(desk, *calm(40), (None, False), (["u"], True), *calm(20), (["v"], True))

    found = order(desk)

    assert found[:41] == list(range(41))
    assert found[41:43] == [41, 62]
    assert len(found) == 63


def test_an_urgent_message_that_is_to_be_tried_again_holds_up_no_other(desk: Desk) -> None:
    put(desk, *calm(40), (["u"], True), (["v"], True))
    with desk.engine.turns.writing() as connection:
        tried = update(MESSAGES).where(MESSAGES.c.number == 40)
        connection.execute(tried.values(tries=1, next_at=desk.time + HOUR))

    assert order(desk) == [41, *range(40)]


THOUSANDS = [f"d{number}" for number in range(3000)]


def test_a_message_about_thousands_of_devices_holds_up_these_alone(desk: Desk) -> None:
    put(desk, (["d7"], False), (THOUSANDS, False), (["other"], False), (["d9"], False))
    with desk.engine.turns.writing() as connection:
        tried = update(MESSAGES).where(MESSAGES.c.number == 0)
        connection.execute(tried.values(tries=1, next_at=desk.time + HOUR))

    assert order(desk, AT_ONCE) == [2]
    desk.time += HOUR
    assert order(desk, AT_ONCE) == [0, 1, 3]


def test_what_is_urgent_goes_ahead_of_thousands_of_other_devices(desk: Desk) -> None:
    put(desk, *calm(20), (THOUSANDS, False), (["d30"], True), (["other"], True))

    assert order(desk) == [22, *range(20), 20, 21]


def test_a_message_names_all_its_devices(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB.replace("[alert]", "[rule]"))
    desk.take(*(alert(f"pump.p{number}", number) for number in range(120)))
    desk.turn(3 * SECOND)

    ((lanes,),) = desk.messages("lanes")
    assert lanes == sorted(f"pump.p{number}" for number in range(120))


def test_one_that_waits_for_very_many_goes_ahead_once_they_are_fewer(tmp_path: Path) -> None:
    desk, many = Desk(tmp_path, HUB), MOST_AHEAD + FEW
    put(desk, *[(["d"], False)] * many, (["d"], True))
    line = Line("hub", desk.engine.turns, 2)

    assert [each.number for each in line.read(desk.time)] == [0, 1]
    with desk.engine.turns.writing() as connection:
        first = update(MESSAGES).where(MESSAGES.c.number < FEW)
        connection.execute(first.values(state="delivered"))
    found = sorted(each.number for each in line.read(desk.time))
    assert found == list(range(FEW, many + 1))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_urgent_goes_ahead_and_no_device_sees_another_order(
    tmp_path: Path, seed: int
) -> None:
    desk, chance, count = Desk(tmp_path, HUB), random.Random(seed), 120
    names = [f"d{number}" for number in range(60)]
    lanes = [chance.sample(names, chance.choice((1, 1, 1, 2))) for _ in range(count)]
    urgent = {number for number in range(count) if chance.random() < 0.03} | {count - 5}
    put(desk, *((some, number in urgent) for number, some in enumerate(lanes)))

    found = order(desk)

    assert sorted(found) == list(range(count))
    for place, number in enumerate(found):
        for later in found[place + 1 :]:
            assert later > number or not set(lanes[later]) & set(lanes[number])
    needed = set(urgent)
    for number in reversed(range(count)):
        if any(later > number and set(lanes[later]) & set(lanes[number]) for later in needed):
            needed.add(number)
    assert set(found[: len(needed)]) == needed


def test_only_the_first_are_read_where_nothing_is_urgent(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    put(desk, *calm(MANY))

    assert len(Line("hub", desk.engine.turns).read(desk.time)) == AT_ONCE
