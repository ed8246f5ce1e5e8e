"""The registry put together from the settings: database, keys, files, sinks, follower."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge.key_file import key_ring
from services.registry.database import open_database
from services.registry.files import Files
from services.registry.follower import Follower, Sink
from services.registry.kafka import KafkaSink
from services.registry.keys import first_admin
from services.registry.served import DEFAULT_TENANT, Registry
from services.registry.store import Store
from telemetry.changes import TenantBody
from telemetry.settings import Settings

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs."""

    registry: Registry
    follower: Follower


def open_registry(settings: Settings, now: Now, *, with_kafka: bool = True) -> Parts:
    """Open the database and whatever the first start makes; take up the home's files."""
    store = Store(open_database(settings.registry_database_url))
    ring = key_ring(settings.registry_key_file)
    first_tenant(store, now())
    first_admin(store, settings.registry_admin_key_file, now())
    files = Files(settings.registry_dir, store, now)
    sinks: list[Sink] = [files]
    if with_kafka:
        sinks.append(KafkaSink(settings.kafka_bootstrap))
    follower = Follower(store, sinks, files)
    overlap = timedelta(days=settings.rotation_overlap_d)
    registry = Registry(store, ring, now, follower.wake, overlap)
    return Parts(registry, follower)


def first_tenant(store: Store, now: datetime) -> None:
    """Make the tenant that devices are of where nobody names one."""
    with store.writing("first start", now) as writing:
        if writing.get("tenant", DEFAULT_TENANT, DEFAULT_TENANT) is None:
            writing.put(DEFAULT_TENANT, DEFAULT_TENANT, TenantBody(), "add")
