"""Reads topic `alerts`: a batch is stored before its offsets are committed."""

import logging
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from services.alerts.engine import Engine
from services.alerts.tables import REFUSED
from telemetry.alerts import Alert, AlertError
from telemetry.topics import ALERTS

AT_ONCE = 200
IDLE_S, LINGER_S, AGAIN_S = 1.0, 0.03, 1.0
KEPT_BYTES = 4096
FORGOTTEN_AFTER_S = 10
"""So long a killed service keeps its partitions from the next one; by Kafka's default 45 s."""
log = logging.getLogger(__name__)


class Record(Protocol):
    """What is used of a record of Kafka."""

    def topic(self) -> str | None:
        """Name of its topic."""

    def partition(self) -> int | None:
        """Number of its partition."""

    def offset(self) -> int | None:
        """Place in the partition."""

    def value(self) -> bytes | None:
        """Its bytes."""


def consumer(bootstrap: str) -> Consumer:
    """Return a consumer that goes on where the last one committed."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "headwater-alerts",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": FORGOTTEN_AFTER_S * 1000,
            "queued.max.messages.kbytes": 4096,
            "log_level": 0,
        }
    )


def take_records(engine: Engine, records: Sequence[Record]) -> None:
    """Store records; one that is no alert is kept as refused, and stops nothing."""
    good: list[tuple[Record, Alert]] = []
    for record in records:
        try:
            good.append((record, Alert.from_json(record.value() or b"")))
        except AlertError as error:
            _refuse(engine, record, str(error))
    try:
        engine.take([alert for _, alert in good])
    except (SQLAlchemyError, OSError):
        raise
    except Exception:
        log.exception("a batch of %d alerts fails: taking them one by one", len(good))
        for record, alert in good:
            _take_alone(engine, record, alert)


def _take_alone(engine: Engine, record: Record, alert: Alert) -> None:
    try:
        engine.take([alert])
    except (SQLAlchemyError, OSError):
        raise
    except Exception as error:
        log.exception("alert %s fails", alert.id)
        _refuse(engine, record, f"{type(error).__name__}: {error}")


def _refuse(engine: Engine, record: Record, reason: str) -> None:
    log.warning("refused %s/%s/%s: %s", record.topic(), record.partition(), record.offset(), reason)
    place = {
        "topic": record.topic(), "partition": record.partition(), "offset": record.offset()
    }  # fmt: skip
    same = [REFUSED.c[name] == value for name, value in place.items()]
    with engine.turns.writing() as connection:
        if connection.execute(select(REFUSED.c.at).where(*same)).first() is None:
            values = {"at": engine.now(), "reason": reason, "value": record.value()}
            cut = (record.value() or b"")[:KEPT_BYTES]
            connection.execute(insert(REFUSED).values({**place, **values, "value": cut}))


class Consuming:
    """The thread that reads; while the database is away it tries its batch again."""

    def __init__(self, kafka: Consumer, engine: Engine) -> None:
        self._kafka = kafka
        self._engine = engine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self.newest: datetime | None = None
        """When a batch was stored last."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)

    def _run(self) -> None:
        self._kafka.subscribe([ALERTS.name])
        while not self._stopping.is_set():
            try:
                batch = self._batch()
                if batch:
                    self._store(batch)
            except KafkaException as error:
                log.warning("topic alerts cannot be read, trying again: %s", error)
                self._stopping.wait(AGAIN_S)
        self._kafka.close()

    def _batch(self) -> list[Message]:
        """Return what there is, at once when there is something."""
        first = self._kafka.poll(IDLE_S)
        if first is None:
            return []
        found = [first, *self._kafka.consume(AT_ONCE - 1, LINGER_S)]
        for message in found:
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                log.warning("topic alerts: %s", error)
        return [message for message in found if message.error() is None]

    def _store(self, batch: Sequence[Message]) -> None:
        while not self._stopping.is_set():
            try:
                take_records(self._engine, batch)
            except (SQLAlchemyError, OSError) as error:
                log.error("alerts cannot be stored, trying again: %s", str(error).split("\n")[0])
                self._stopping.wait(AGAIN_S)
                continue
            self.newest = self._engine.now()
            self._kafka.commit(asynchronous=True)
            return
