"""A clock that is set: nobody is silent, gone or over for that."""

import socket
import time
from collections.abc import Iterator

import pytest

from edge.mqtt.encoding import encode
from edge.mqtt.packets import Connack, Connect, Will
from edge.mqtt.properties import Properties
from edge.mqtt.wire import V5, V311
from gateway.mqtt.clock_steps import ClockSteps, Step
from gateway.mqtt.session import NEVER
from tests.gateway.entrances import house
from tests.gateway.mqtt.clients import OWN, TOPIC, Client, broker, lasting
from tests.gateway.served import Served

HOUR_US = 3_600_000_000
SECOND_US = 1_000_000
CONNACK = encode(Connack(0), V311)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    running = Served(house(is_anonymous=True))
    yield running
    running.stop()


def let_in(served: Served, keep_alive_s: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", served.port("mqtt")), 20.0)
    sock.sendall(encode(Connect(V311, "c1", True, keep_alive_s, "d1"), V311))
    assert sock.recv(len(CONNACK)) == CONNACK
    return sock


def ends(sock: socket.socket, within_s: float) -> bool:
    sock.settimeout(within_s)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False


async def looked(served: Served, by_us: int, passed_us: int) -> None:
    """Have the gateway keep its time once so long has passed and the clock was set so far."""
    steady_us = time.monotonic_ns() // 1000 + passed_us
    served.mqtt.keep_time(time.time_ns() // 1000 + passed_us + by_us, steady_us)


async def put_right(served: Served) -> None:
    served.mqtt.keep_time(time.time_ns() // 1000, time.monotonic_ns() // 1000)


@pytest.mark.parametrize("by_us", [HOUR_US, -HOUR_US])
def test_client_is_as_silent_as_it_was_when_the_clock_is_set(served: Served, by_us: int) -> None:
    sock = let_in(served, 600)
    try:
        served.do(looked(served, by_us, SECOND_US))
        assert not ends(sock, 0.2)
        served.do(looked(served, by_us, 890 * SECOND_US))
        assert not ends(sock, 0.2)
        served.do(looked(served, by_us, 910 * SECOND_US))
        assert ends(sock, 20.0)
    finally:
        sock.close()
        served.do(put_right(served))


def away(expiry_s: int, delay_s: int) -> Client:
    client = Client(broker(), V5)
    will = Will(TOPIC, b"{}", 1, properties=Properties(will_delay_s=delay_s))
    client.send(lasting(will=will, session_expiry_s=expiry_s))
    client.subscribe(OWN)
    client.connection.lost()
    return client


def set_back_or_ahead(by_s: int, elapsed_s: int) -> Step:
    now_us = time.time_ns() // 1000
    began_us = now_us + by_s * SECOND_US
    return Step(by_s * SECOND_US, began_us, began_us + elapsed_s * SECOND_US)


@pytest.mark.parametrize("by_s", [3_600, -3_600])
def test_session_that_is_away_ends_as_late_as_it_would(by_s: int) -> None:
    client = away(expiry_s=60, delay_s=30)
    (session,) = client.broker.sessions
    ends_at, will_at = session.ends_at, session.will_at

    session.set_clock(set_back_or_ahead(by_s, 1))

    assert session.ends_at == pytest.approx(ends_at + by_s)
    assert session.will_at == pytest.approx(will_at + by_s)


def test_session_that_left_since_the_clock_was_set_stays_as_it_is() -> None:
    client = away(expiry_s=60, delay_s=30)
    (session,) = client.broker.sessions
    ends_at = session.ends_at
    now_us = time.time_ns() // 1000

    session.set_clock(Step(HOUR_US, now_us - 2 * SECOND_US, now_us + SECOND_US))

    assert session.ends_at == ends_at


def test_session_of_a_client_that_is_there_has_no_end_to_move() -> None:
    client = Client(broker(), V5)
    client.send(lasting())
    (session,) = client.broker.sessions
    session.set_clock(set_back_or_ahead(-3_600, 1))
    assert session.ends_at == NEVER


@pytest.mark.parametrize(
    ("now_us", "steady_us", "by_us"),
    [
        (11 * SECOND_US, 6 * SECOND_US, None),
        (11 * SECOND_US + 900_000, 6 * SECOND_US, None),
        (15 * SECOND_US, 6 * SECOND_US, 4 * SECOND_US),
        (7 * SECOND_US, 6 * SECOND_US, -4 * SECOND_US),
        (3610 * SECOND_US, 3605 * SECOND_US, None),
    ],
)
def test_step_is_what_the_clock_says_beside_what_has_passed(
    now_us: int, steady_us: int, by_us: int | None
) -> None:
    steps = ClockSteps(10 * SECOND_US, 5 * SECOND_US)
    step = steps.found(now_us, steady_us)

    assert (step and step.by_us) == by_us
    assert steps.found(now_us + SECOND_US, steady_us + SECOND_US) is None
