"""Alerts to the Kafka topic `alerts`, acknowledged by all replicas."""

from collections.abc import Sequence

from edge.kafka import KafkaOutbox
from edge.outbox import OutboxError, OutRecord
from telemetry.alerts import Alert
from telemetry.topics import ALERTS

WITHIN_S = 20.0


class AlertTopic:
    """Tells alerts; a broker that stays away is an error, and the next call connects anew."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._outbox: KafkaOutbox | None = None

    def tell(self, alerts: Sequence[Alert]) -> None:
        """Publish alerts in their order; return once every replica has them, or raise."""
        outbox = self._outbox = self._outbox or KafkaOutbox(
            self._bootstrap, ALERTS.name, delivery_timeout_s=WITHIN_S
        )
        try:
            for alert in alerts:
                outbox.send(OutRecord(alert.key(), alert.to_json(), []))
            waiting = outbox.flush(WITHIN_S)
            if waiting:
                raise OutboxError(f"{waiting} alerts are not acknowledged")
        except OutboxError:
            self._outbox = None
            raise
