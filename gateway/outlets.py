"""The outlets of a stack: Kafka for each durability class, or the spool of the light path."""

from edge.outboxes import stack_mode
from gateway.kafka import KafkaOutlet
from gateway.outlet import Outlet
from telemetry.devices import Durability
from telemetry.settings import Settings


def open_outlets(settings: Settings) -> dict[Durability, Outlet]:
    """Return where the records of each durability class go."""
    if stack_mode(settings) == "light":
        from gateway.spooling import SpoolOutlet

        spool = SpoolOutlet(settings.spool_dir)
        return {"industrial": spool, "consumer": spool}
    kafka = settings.kafka_bootstrap
    linger_ms = settings.gateway_linger_ms
    return {
        "industrial": KafkaOutlet(kafka, linger_ms=linger_ms),
        "consumer": KafkaOutlet(kafka, is_durable=False, linger_ms=linger_ms),
    }
