"""Publishes each change of an alert's life to `alerts.history`, for `gold.alerts`."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from confluent_kafka import KafkaError, Message, Producer
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from edge.kafka import PRODUCER_CONFIG
from services.alerts.rows import life_of, told_life
from services.alerts.tables import ALERTS
from services.alerts.work import LIFE_COLUMNS
from services.database import Turns
from telemetry.errors import HeadwaterError
from telemetry.topics import ALERTS_HISTORY

AT_ONCE = 1000
LOOK_EVERY_S, AWAY_S = 1.0, 5.0
DELIVERY_TIMEOUT_S = 20.0
log = logging.getLogger(__name__)


class History(Protocol):
    """Where the lives go."""

    def take(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Have records of key and value durably, in their order, or raise."""


class KafkaHistory:
    """The topic; what `take` returns from, every replica has."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: Producer | None = None
        self._failure: KafkaError | None = None

    def take(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Publish records."""
        producer = self._producer = self._producer or self._connected()
        self._failure = None
        for key, value in records:
            producer.produce(ALERTS_HISTORY.name, value=value, key=key, on_delivery=self._delivered)
            producer.poll(0)
        waiting = producer.flush(DELIVERY_TIMEOUT_S + 5)
        if waiting or self._failure:
            producer.purge()
            producer.flush(1.0)
            self._producer = None
            said = self._failure or f"{waiting} wait"
            raise HeadwaterError(f"Kafka at {self._bootstrap} does not take the history: {said}")

    def _connected(self) -> Producer:
        bounded = {
            "queue.buffering.max.kbytes": 8 * 1024,
            "delivery.timeout.ms": round(DELIVERY_TIMEOUT_S * 1000),
        }
        return Producer({"bootstrap.servers": self._bootstrap, **PRODUCER_CONFIG, **bounded})

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failure = self._failure or error


def publish(turns: Turns, history: History) -> int:
    """Publish what has changed, and return how many alerts that were."""
    query = select(*LIFE_COLUMNS).where(ALERTS.c.is_published.is_(False))
    with turns.reading() as connection:
        ordered = query.order_by(ALERTS.c.updated_at).limit(AT_ONCE)
        rows = connection.execute(ordered).mappings().all()
        lives = [life_of(cast(Mapping[str, object], row)) for row in rows]
    if not lives:
        return 0
    history.take([(life.alert_id.encode(), told_life(life).to_json()) for life in lives])
    same = (ALERTS.c.alert_id == bindparam("wanted")) & (ALERTS.c.updated_at == bindparam("at"))
    told = [{"wanted": life.alert_id, "at": life.updated_at} for life in lives]
    with turns.writing() as connection:
        connection.execute(update(ALERTS).where(same).values(is_published=True), told)
    return len(lives)


class Publishing:
    """The thread that publishes."""

    def __init__(self, turns: Turns, history: History) -> None:
        self._turns, self._history = turns, history
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what is left, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._round())
        self._round()

    def _round(self) -> float:
        try:
            while publish(self._turns, self._history) == AT_ONCE:
                pass
        except (HeadwaterError, SQLAlchemyError) as error:
            log.error("the history waits: %s", str(error).partition("\n")[0])
            return AWAY_S
        return LOOK_EVERY_S
