"""An alerts service in memory of one process: a clock to turn, sinks that note what they get."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import select

from services.alerts.channels.sink import Outgoing
from services.alerts.configuration import Configuration, Receiver
from services.alerts.configuration_file import parse_configuration
from services.alerts.delivering import Delivery
from services.alerts.engine import Engine
from services.alerts.life import Life, micros
from services.alerts.outbox import Answer
from services.alerts.start import LOCK
from services.alerts.tables import MESSAGES
from services.database import open_database
from telemetry.alerts import Alert, Severity, State, alert_id
from tests.services.databases import migrated

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
OK, AWAY = Answer(200), Answer(503, "away")


def at(seconds: float) -> datetime:
    """Return the time so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def alert(
    device: str | None = "pump.p1",
    seconds: float = 0,
    *,
    state: State = "firing",
    severity: Severity = "warning",
    rule: str = "hot",
    **more: object,
) -> Alert:
    """Return an alert of a device; say what matters."""
    time, metric = micros(at(seconds)), more.get("metric")
    named = alert_id(rule, 1, str(more.get("tenant", "default")), device, time, str(metric))
    known: dict[str, object] = {
        "tenant": "default",
        "rule_version": 1,
        "detected_at": time,
        "text": f"{device} is {rule}",
        "product": "pump",
        "zone": "hall",
        **more,
    }
    return Alert(
        id=named,
        rule=rule,
        state=state,
        severity=severity,
        device=device,
        event_time=time,
        **known,  # type: ignore[arg-type]
    )


def life(**changes: object) -> Life:
    """Return an alert's life; say what matters."""
    known = Life(
        alert_id="a" * 32,
        tenant="default",
        rule="hot",
        rule_version=1,
        severity="warning",
        text="hot",
        opened_at=NOON,
        last_event_at=NOON,
        heard_at=NOON,
        updated_at=NOON,
        device="pump.p1",
        product="pump",
        zone="hall",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def configured(text: str) -> Configuration:
    """Return the configuration of a file's text."""
    return parse_configuration(text.encode(), "alerts.yaml")


@dataclass(slots=True)
class NotingSink:
    """Takes messages, or answers what it is told to."""

    answer: Answer = OK
    got: list[Outgoing] = field(default_factory=list)
    asked: int = 0

    def send(self, message: Outgoing) -> Answer:
        """Note a message that is taken."""
        self.asked += 1
        if self.answer == OK:
            self.got.append(message)
        return self.answer

    def close(self) -> None:
        """Nothing is open."""


def opened(url: str) -> Database:
    """Open the service's database, as it does when it starts."""
    return open_database(url, "alerts", lock=LOCK)


class Desk:
    """The service over a database of its own, at a time of the test's choice."""

    def __init__(self, folder: Path, text: str, *, url: str | None = None) -> None:
        self.time = NOON
        self.database: Database = opened(url or migrated(folder / "alerts.db", opened))
        self.sinks = {name: NotingSink() for name in configured(text).receivers}
        self.engine = Engine(self.database, configured(text), lambda: self.time)
        self._deliveries: dict[str, Delivery] = {}

    def take(self, *alerts: Alert) -> None:
        """Take records, as one batch."""
        self.engine.take(alerts)

    def turn(self, by: timedelta, *, step: timedelta = SECOND) -> None:
        """Let time go by, doing what is due and delivering."""
        end = self.time + by
        while self.time < end:
            self.time = min(self.time + step, end)
            self.engine.tick()
            self.deliver()

    def deliver(self, most: int | None = None) -> None:
        """Deliver all that is due now, or so many messages to each receiver."""
        for name, receiver in self.engine.configuration.receivers.items():
            delivery = self._deliveries.setdefault(name, self._delivery(receiver))
            sent = 0
            while sent != most and not delivery.step():
                sent += 1

    def _delivery(self, receiver: Receiver) -> Delivery:
        turns = self.engine.turns
        return Delivery(receiver, lambda one: self.sinks[one.name], turns, lambda: self.time)

    def lives(self) -> list[Life]:
        """Return every alert, by id."""
        with self.engine.working() as (work, _):
            return sorted(work.lives(), key=lambda one: one.alert_id)

    def messages(self, *columns: str) -> list[tuple[object, ...]]:
        """Return the outbox."""
        query = select(*(MESSAGES.c[name] for name in columns)).order_by(MESSAGES.c.number)
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def got(self, name: str) -> list[Outgoing]:
        """Return what a sink has taken."""
        return self.sinks[name].got

    def counts(self, name: str) -> list[int]:
        """Return how many alerts each message to a sink counts."""
        told: list[Any] = [one.content["counts"] for one in self.got(name)]
        return [int(one["alerts"]) for one in told]

    def listed(self, name: str) -> list[list[tuple[str, str]]]:
        """Return the devices and states that each message to a sink lists."""
        told: list[Any] = [one.content["alerts"] for one in self.got(name)]
        return [[(each["device"], each["state"]) for each in alerts] for alerts in told]
