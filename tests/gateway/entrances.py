"""An entrance with devices, secrets and an outlet in memory."""

import os
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.authentication import Authentication, Development
from gateway.counters import Counters
from gateway.directory import Directory
from gateway.entrance import Entrance
from gateway.ingest import Ingest
from gateway.limits import Limits, Rate
from telemetry.changes import Body, Change, ChangeKey, CredentialBody, DeviceBody, Kind
from telemetry.credentials import Profile, sign, signed_client_id, user_name
from telemetry.devices import Device, split_full_name
from telemetry.sealing import KeyRing, seal
from tests.gateway.outlets import MemoryOutlet

NOW = 1_764_000_000.0
NOW_US = 1_764_000_000_000_000
LOCAL_KEY = b"k" * 32
RING = KeyRing("k1", {"k1": os.urandom(32)})
MESSAGE = b'{"seq":1,"metrics":{"temperature":21.5}}'


class House(NamedTuple):
    """An entrance, with what stands behind it."""

    entrance: Entrance
    directory: Directory
    outlet: MemoryOutlet


class Editions:
    """Counts changes as a registry does."""

    def __init__(self) -> None:
        self._last = 0

    def change(
        self, kind: Kind, name: str, body: Body | None, *, tenant: str = "default"
    ) -> Change:
        self._last += 1
        return Change(ChangeKey(kind, tenant, name), self._last, datetime.now(UTC), body)


EDITIONS = Editions()


def house(
    *,
    profile: Profile = "strict",
    is_anonymous: bool = False,
    development: Development | None = None,
    device_rate: Rate | None = None,
    outlet: MemoryOutlet | None = None,
) -> House:
    directory, counters, outlet = Directory(RING), Counters(), outlet or MemoryOutlet()
    ingest = Ingest({"industrial": outlet, "consumer": outlet}, counters)
    authentication = Authentication(
        directory,
        profile=profile,
        development=development or Development(is_anonymous=is_anonymous),
        local_key=LOCAL_KEY,
    )
    limits = Limits(device_rate or Rate(), Rate(), Rate())
    return House(Entrance(directory, authentication, limits, ingest, counters), directory, outlet)


def enrol(
    directory: Directory,
    device_full: str,
    secret: bytes | None = None,
    *,
    tenant: str = "default",
    until: datetime | None = None,
) -> None:
    body = DeviceBody(Device(device_full, tenant=tenant))
    directory.apply(EDITIONS.change("device", device_full, body, tenant=tenant))
    if secret is not None:
        key = ChangeKey("credential", tenant, f"{device_full}/s1")
        sealed = seal(secret, RING, key.encoded())
        credential = CredentialBody(device_full, sealed, datetime(2020, 1, 1, tzinfo=UTC), until)
        directory.apply(EDITIONS.change("credential", key.name, credential, tenant=tenant))


class Signed(NamedTuple):
    """What a device shows: MQTT client id, user name and password."""

    client_id: str
    username: str
    password: str


def signed(
    device_full: str, secret: bytes, *, timestamp: str | None = None, identifier: str = "c1"
) -> Signed:
    product, device = split_full_name(device_full)
    stamp = timestamp if timestamp is not None else str(round(NOW * 1000))
    password = sign(secret, client_id=identifier, device=device, product=product, timestamp=stamp)
    return Signed(signed_client_id(identifier, stamp), user_name(device, product), password)
