"""The outlets of a stack: Kafka for each durability class, or the spool of the light path."""

from pathlib import Path

from edge.outboxes import stack_mode
from gateway.counters import Counters
from gateway.kafka import KafkaOutlet
from gateway.outlet import Outlet
from telemetry.devices import Durability
from telemetry.settings import Settings


def open_outlets(settings: Settings, folder: Path, counters: Counters) -> dict[Durability, Outlet]:
    """Return where the records of each durability class go; `folder` is the process's own."""
    if stack_mode(settings) == "light":
        from gateway.spooling import SpoolOutlet

        spool = SpoolOutlet(settings.spool_dir, counters)
        return {"industrial": spool, "consumer": spool}
    bootstrap, linger_ms = settings.kafka_bootstrap, settings.gateway_linger_ms
    durable = KafkaOutlet(bootstrap, linger_ms=linger_ms)
    consumer = KafkaOutlet(bootstrap, is_durable=False, linger_ms=linger_ms)
    spool_dir = folder / "spool"
    if settings.gateway_without_kafka == "refuse":
        if not any(spool_dir.glob("segments/*.parquet")):
            return {"industrial": durable, "consumer": consumer}
        from gateway.leftover import Leftover

        return {"industrial": Leftover(durable, spool_dir, counters), "consumer": consumer}
    from gateway.behind_spool import BehindSpool
    from gateway.fallback import FallbackOutlet

    most_bytes = settings.gateway_spool_mb * 1_000_000
    fallback = FallbackOutlet(durable, spool_dir, counters, most_bytes=most_bytes)
    return {"industrial": fallback, "consumer": BehindSpool(consumer, fallback)}
