"""Devices: names and the versions of what is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from telemetry.errors import DeviceError
from telemetry.products import NAME

FIRST_VALID_FROM = datetime(1900, 1, 1, tzinfo=UTC)
SETTLES_AFTER = timedelta(seconds=60)
"""A new version holds from its commit on plus this, so that every stream knows it in time."""

Durability = Literal["industrial", "consumer"]
"""`consumer` trades the promise of durability for speed: its messages wait for one replica."""


@dataclass(frozen=True, slots=True)
class Device:
    """One version of a device; `valid_from` None stands for 'as of its import'."""

    device_full: str
    tenant: str = "default"
    zone: str | None = None
    customer: str | None = None
    lat: float | None = None
    lng: float | None = None
    firmware: str | None = None
    valid_from: datetime | None = None
    durability: Durability | None = None
    """None is industrial; no part of the history in `dim.devices`."""

    @property
    def product(self) -> str:
        """Key of the device's product."""
        return split_full_name(self.device_full)[0]

    @property
    def device(self) -> str:
        """Name within the product."""
        return split_full_name(self.device_full)[1]


def full_name(product: str, device: str) -> str:
    """Return `{product}.{device}`; a device of product `default` has its bare name."""
    return device if product == "default" else f"{product}.{device}"


def split_full_name(device_full: str) -> tuple[str, str]:
    """Return product and device; a name without a dot is of product `default`."""
    product, dot, device = device_full.partition(".")
    return (product, device) if dot else ("default", device_full)


def check_name(device_full: str) -> str:
    """Return the full name, or raise `DeviceError` if it is none."""
    product, device = split_full_name(device_full)
    if not NAME.fullmatch(product) or not NAME.fullmatch(device):
        raise DeviceError(
            f"{device_full!r} is not a device name: product.device or a plain name"
            " of letters, digits, _ - :"
        )
    return device_full


def check_new_name(device_full: str) -> str:
    """Return the full name of a device that is enrolled, or raise `DeviceError`.

    A login of product `default` names the device alone: one enrolled as `default.x` is never found.
    """
    product, device = split_full_name(device_full)
    if full_name(product, device) != device_full:
        bare = f"a device of product {product} has its bare name: {device!r}"
        raise DeviceError(f"{device_full!r} is no name to enrol: {bare}")
    return device_full


def device_from_dict(data: Mapping[str, object]) -> Device:
    """Read a device's JSON form: `device` is the full name, or `product` stands beside it."""
    name = str(data.get("device_full") or data.get("device") or "")
    product = data.get("product")
    if product and "." not in name:
        name = full_name(str(product), name)
    valid_from = data.get("valid_from")
    return Device(
        device_full=check_name(name),
        tenant=str(data.get("tenant") or "default"),
        zone=_text(data.get("zone")),
        customer=_text(data.get("customer")),
        lat=_degrees(name, "lat", data.get("lat"), 90),
        lng=_degrees(name, "lng", data.get("lng"), 180),
        firmware=_text(data.get("firmware")),
        valid_from=_aware(name, valid_from) if valid_from else None,
        durability=_durability(name, data.get("durability")),
    )


def _durability(name: str, value: object) -> Durability | None:
    if value in (None, ""):
        return None
    if value not in get_args(Durability):
        known = " or ".join(get_args(Durability))
        raise DeviceError(f"device {name}: durability {value!r} is neither {known}")
    return cast(Durability, value)


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def _degrees(name: str, axis: str, value: object, limit: int) -> float | None:
    if value in (None, ""):
        return None
    try:
        degrees = float(str(value))
    except ValueError:
        degrees = float("nan")
    if not -limit <= degrees <= limit:
        raise DeviceError(f"device {name}: {axis} {value!r} is not within ±{limit} degrees")
    return degrees


def _aware(name: str, value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        aware.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DeviceError(f"device {name}: valid_from {value!r} is not an ISO time") from error
    return aware


def device_to_dict(device: Device) -> dict[str, object]:
    """Return the JSON form, without what is not known."""
    data = {field.name: getattr(device, field.name) for field in fields(device)}
    if device.valid_from:
        data["valid_from"] = device.valid_from.isoformat()
    return {name: value for name, value in data.items() if value is not None}
