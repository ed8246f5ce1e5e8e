"""Deliveries over real connections to sinks that fail in every way."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from services.alerts.channels.opening import Secrets, open_sink
from services.alerts.channels.sink import Outgoing
from services.alerts.channels.webhook import Webhook, signature
from services.alerts.configuration import Receiver
from services.alerts.delivering import Deliveries, Delivery
from services.alerts.messages import content
from services.alerts.tables import TRIES
from telemetry.alerts import State
from telemetry.settings import Settings
from tests.services.alert_parts import MINUTE, NOON, SECOND, Desk, alert, configured, life
from tests.services.sink_server import SinkServer, sink_server

LONG = timedelta(seconds=20)
SECRET = "the hub's own"
FILE = """
receivers:
  hub: {{kind: webhook, url: "{hub}", timeout: {timeout}}}
  other: {{kind: webhook, url: "{other}", timeout: 20 s}}
route: {{to: [hub, other], group_by: [alert], group_wait: 0 s, group_interval: 1 s}}
"""


@pytest.fixture
def hub() -> Iterator[SinkServer]:
    with sink_server() as found:
        yield found


def message(*names: str) -> Outgoing:
    told = content("alerts", [life(device=name) for name in names], NOON)
    return Outgoing("0123456789abcdef" * 2, told)


class Sending:
    """A desk whose deliveries go over real connections."""

    def __init__(
        self,
        folder: Path,
        hub: str,
        other: str = "http://127.0.0.1:9/no",
        *,
        timeout: str = "20 s",
    ) -> None:
        self.desk = Desk(folder, FILE.format(hub=hub, other=other, timeout=timeout))
        self.configuration = self.desk.engine.configuration
        self.secrets = Secrets(Settings(home=folder))
        self.hub = self.delivery("hub")

    def delivery(self, name: str) -> Delivery:
        receiver = self.configuration.receivers[name]
        return Delivery(receiver, self.opened, self.desk.engine.turns, lambda: self.desk.time)

    def opened(self, receiver: Receiver) -> Webhook:
        return cast(Webhook, open_sink(receiver, self.secrets))

    def turn(self, seconds: int, step: int = 1) -> None:
        for _ in range(0, seconds, step):
            self.desk.time += step * SECOND
            self.desk.engine.tick()
            while not self.hub.step():
                pass

    def outcomes(self) -> list[str]:
        with self.desk.database.connect() as connection:
            return [row.outcome for row in connection.execute(TRIES.select().order_by(TRIES.c.id))]


def test_a_webhook_is_signed_over_time_and_body(hub: SinkServer) -> None:
    sink = Webhook(hub.url, SECRET.encode(), LONG, clock=lambda: 1_800_000_000.9)

    answer = sink.send(message("pump.p1"))
    sink.close()

    assert answer.status == 204
    (got,) = hub.taken
    assert got.headers["Headwater-Timestamp"] == "1800000000"
    assert got.headers["Headwater-Signature"] == signature(SECRET.encode(), "1800000000", got.body)
    assert got.headers["Headwater-Signature"] != signature(b"another", "1800000000", got.body)
    assert got.key == got.content["key"] == message("pump.p1").key


def test_a_signature_is_the_plain_hmac_of_the_standard() -> None:
    # printf '1.{}' | openssl dgst -sha256 -hmac key
    told = "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    assert signature(b"key", "1", b"{}") == f"v1={told}"


@pytest.mark.parametrize("mood", ["fails", "hangs", "takes and says nothing"])
def test_a_sink_that_fails_gets_all_in_order_with_the_same_keys(
    tmp_path: Path, hub: SinkServer, mood: str
) -> None:
    hub.mood = mood  # type: ignore[assignment]
    sending = Sending(tmp_path, hub.url, timeout="300 ms" if mood == "hangs" else "20 s")
    sending.desk.take(alert("pump.p1"), alert("pump.p2"))
    sending.turn(2)
    sending.desk.take(alert("pump.p1", 60, state="resolved"))
    sending.turn(3)
    queued = [key for key, name in sending.desk.messages("key", "receiver") if name == "hub"]
    assert hub.asked

    hub.mood = "takes"
    hub.let_go.set()
    sending.turn(60)

    assert sorted(hub.keys()) == sorted(str(key) for key in queued)
    words = [(one["device"], one["state"]) for got in hub.taken for one in got.content["alerts"]]
    firing, over = words.index(("pump.p1", "firing")), words.index(("pump.p1", "resolved"))
    assert firing < over
    assert ("pump.p1", "firing") not in words[over:]
    assert set(sending.outcomes()) == {"retry", "delivered"}


def test_a_sink_that_is_killed_gets_all_once_it_is_back(tmp_path: Path) -> None:
    with sink_server() as first:
        sending = Sending(tmp_path, first.url)
        sending.desk.take(alert("pump.p1"))
        sending.turn(1)
        port = int(first.url.split(":")[2].split("/")[0])
    for minute in range(10):
        sending.desk.take(alert(f"pump.q{minute}", minute * 60))
        sending.turn(60, 5)
    assert len(first.keys()) == 1

    with sink_server(port, first) as again:
        sending.turn(90, 5)

    assert len(again.keys()) == len(again.taken) == 11
    queued = [key for key, name in sending.desk.messages("key", "receiver") if name == "hub"]
    assert again.keys() == queued


@pytest.mark.parametrize("last", ["fails", "takes and says nothing"])
def test_after_ten_minutes_each_device_is_told_in_its_order_by_the_same_keys(
    tmp_path: Path, last: str
) -> None:
    with sink_server() as first:
        first.mood = last  # type: ignore[assignment]
        sending = Sending(tmp_path, first.url)
        sending.desk.take(*(alert(f"pump.p{number}", severity="critical") for number in range(3)))
        sending.turn(8)
        port = int(first.url.split(":")[2].split("/")[0])
    assert first.asked
    for minute in range(10):
        state: State = "firing" if minute % 2 else "resolved"
        for number in range(3):
            sending.desk.take(alert(f"pump.p{number}", minute * 360 + 60, state=state))
            sending.desk.take(alert(f"pump.p{number}", minute * 360 + 61, rule="loud"))
        sending.turn(60, 10)

    first.mood = "takes"
    with sink_server(port, first) as again:
        sending.turn(120, 5)

    rows = sending.desk.messages("key", "receiver", "lanes")
    queued = [(str(key), lanes) for key, name, lanes in rows if name == "hub"]
    assert len(queued) > 30
    taken = again.keys()
    assert sorted(taken) == sorted(key for key, _ in queued)
    for number in range(3):
        mine = [key for key, lanes in queued if lanes == [f"pump.p{number}"]]
        assert len(mine) > 10
        assert [key for key in taken if key in mine] == mine
    bodies = {(got.key, got.body) for got in again.taken}
    assert len(bodies) == len(queued)


def test_what_a_sink_refuses_for_good_is_not_sent_again(tmp_path: Path, hub: SinkServer) -> None:
    hub.mood = "refuses"
    sending = Sending(tmp_path, hub.url)
    sending.desk.take(alert("pump.p1"))
    sending.turn(30)

    assert hub.asked == 1
    assert [
        state for state, name in sending.desk.messages("state", "receiver") if name == "hub"
    ] == ["refused"]


def test_a_message_that_is_never_taken_is_given_up(tmp_path: Path) -> None:
    sending = Sending(tmp_path, "http://127.0.0.1:9/no")
    sending.hub.give_up = MINUTE
    sending.desk.take(alert("pump.p1"))

    sending.turn(120)

    states = [state for state, name in sending.desk.messages("state", "receiver") if name == "hub"]
    assert states == ["given_up"]


def test_a_sink_that_hangs_holds_up_no_other(tmp_path: Path, hub: SinkServer) -> None:
    hub.mood = "hangs"
    with sink_server() as other:
        sending = Sending(tmp_path, hub.url, other.url)
        desk = sending.desk
        deliveries = Deliveries(sending.opened, desk.engine.turns, lambda: desk.time)
        deliveries.configure(sending.configuration)
        try:
            desk.take(*(alert(f"pump.p{number}", severity="critical") for number in range(5)))
            give_up = time.monotonic() + 20
            deliveries.wake(["hub", "other"])
            while len(other.taken) < 5 and time.monotonic() < give_up:
                time.sleep(0.01)
        finally:
            hub.let_go.set()
            deliveries.stop()

    assert len(other.keys()) == 5
    assert hub.taken == []


def test_a_receiver_that_is_no_more_waits_for_nothing(tmp_path: Path) -> None:
    sending = Sending(tmp_path, "http://127.0.0.1:9/no")
    sending.desk.take(alert("pump.p1", severity="critical"))
    deliveries = Deliveries(sending.opened, sending.desk.engine.turns, lambda: sending.desk.time)

    deliveries.configure(configured("route: {}"))
    deliveries.stop()

    assert {state for (state,) in sending.desk.messages("state")} == {"given_up"}


@pytest.mark.parametrize("tenants", ["[default]", '["*"]', "[other]"])
def test_what_waits_is_given_up_once_its_tenant_is_none_of_the_receivers(
    tmp_path: Path, tenants: str
) -> None:
    sending = Sending(tmp_path, "http://127.0.0.1:9/no")
    sending.desk.take(alert("pump.p1", severity="critical"))
    deliveries = Deliveries(sending.opened, sending.desk.engine.turns, lambda: sending.desk.time)
    deliveries.stop()
    hub = f'hub: {{kind: webhook, url: "http://127.0.0.1:9/no", tenants: {tenants}}}'

    deliveries.configure(configured(f"receivers: {{{hub}}}\nroute: {{to: [hub]}}"))

    told = "given_up" if tenants == "[other]" else "waiting"
    assert ("hub", told) in sending.desk.messages("receiver", "state")


def test_what_waits_for_a_person_goes_by_the_persons_tenants(tmp_path: Path) -> None:
    text = """
receivers: {mail: {kind: webhook, url: "http://127.0.0.1:9/no"}}
people: {bob: {receivers: {mail: info}, tenants: [default, acme]}}
route: {to: [bob]}
"""
    desk = Desk(tmp_path, text)
    desk.take(*(alert("p.1", severity="critical", tenant=name) for name in ("default", "acme")))
    deliveries = Deliveries(lambda receiver: desk.sinks[receiver.name], desk.engine.turns,
                            lambda: desk.time)  # fmt: skip
    deliveries.stop()

    deliveries.configure(configured(text))
    before = desk.messages("tenant", "state")
    deliveries.configure(configured(text.replace("[default, acme]", "[default]")))

    assert before == [("default", "waiting"), ("acme", "waiting")]
    assert desk.messages("tenant", "state") == [("default", "waiting"), ("acme", "given_up")]
