"""Large batches behind small ones: every record once, and each device's in their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crowd import MOST_HELD_BYTES, Crowd, Record
from gateway.outlet import OutletError, Settle


class Large:
    """A client of large batches that settles when it is told to."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.waiting: list[tuple[bytes, Settle]] = []
        self.is_full = False

    def poll(self, timeout: float) -> int:
        return 0

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        self.settle("purged")

    def flush(self, timeout: float) -> int:
        self.settle(None)
        return 0

    def __len__(self) -> int:
        return len(self.waiting)

    def settle(self, error: object) -> None:
        waiting, self.waiting = self.waiting, []
        for _, settle in waiting:
            settle(error, None)


def hand(client: Large, record: Record) -> None:
    if client.is_full:
        raise OutletError("full", is_away=False, retry_after_s=1.0)
    client.came.append(record.value)
    client.waiting.append((record.value, record.settle))


class Told:
    """Notes what becomes of each record."""

    def __init__(self) -> None:
        self.told: dict[bytes, list[object]] = {}

    def of(self, value: bytes) -> Settle:
        def settle(error: object, _message: object) -> None:
            self.told.setdefault(value, []).append(error)

        return settle


def send(crowd: Crowd[Large], told: Told, value: bytes, ahead: int) -> None:
    crowd.send(Record("telemetry", b"d1", value, {}, told.of(value)), ahead)


def test_records_wait_until_those_ahead_are_decided() -> None:
    large, told = Large(), Told()
    crowd = Crowd(lambda: large, hand)

    send(crowd, told, b"1", 5)
    send(crowd, told, b"2", 0)
    assert (large.came, crowd.poll(3), crowd.is_there) == ([], 2, True)
    crowd.poll(0)
    assert large.came == [b"1", b"2"]
    send(crowd, told, b"3", 0)
    assert large.came == [b"1", b"2", b"3"]

    large.settle(None)
    assert (crowd.poll(0), crowd.is_there) == (0, False)
    assert told.told == {b"1": [None], b"2": [None], b"3": [None]}


def test_what_cannot_begin_its_way_is_told_so() -> None:
    large, told = Large(), Told()
    crowd = Crowd(lambda: large, hand)
    send(crowd, told, b"1", 1)
    error = OutletError("away", is_away=True, retry_after_s=1.0)

    crowd.give_up(error)
    assert (told.told, len(crowd), crowd.poll(0), crowd.is_there) == ({b"1": [error]}, 0, 0, False)

    send(crowd, told, b"2", 1)
    large.is_full = True
    crowd.poll(0)
    (full,) = told.told[b"2"]
    assert isinstance(full, OutletError)


def test_what_is_held_has_a_bound() -> None:
    crowd, told = Crowd(Large, hand), Told()
    large = Record("telemetry", b"d1", bytes(MOST_HELD_BYTES), {}, told.of(b"1"))
    crowd.send(large, 1)

    with pytest.raises(OutletError) as refused:
        send(crowd, told, b"2", 1)

    assert not refused.value.is_away
    assert told.told == {}


def test_end_settles_what_was_held_too() -> None:
    large, told = Large(), Told()
    crowd = Crowd(lambda: large, hand)
    send(crowd, told, b"1", 1)

    assert crowd.close(1.0) == 0
    assert told.told == {b"1": [None]}


STEPS = st.lists(st.sampled_from(["send", "small", "large", "poll"]), max_size=60)


@given(steps=STEPS)
def test_order_is_kept_and_each_is_told_once(steps: list[str]) -> None:
    large, told, ahead, number = Large(), Told(), 3, 0
    crowd = Crowd(lambda: large, hand)
    for step in (*steps, "small", "small", "small", "poll", "large", "poll"):
        if step == "send":
            send(crowd, told, b"%d" % number, ahead)
            number += 1
        elif step == "small":
            ahead = max(ahead - 1, 0)
        elif step == "large":
            large.settle(None)
        else:
            crowd.poll(ahead)
    assert large.came == [b"%d" % each for each in range(number)]
    assert told.told == {value: [None] for value in large.came}
    assert not crowd.is_there
