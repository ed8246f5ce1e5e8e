"""Dynamic registration: a device that knows its product's secret enrols itself."""

import hashlib
import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.problems import Problem, conflict
from services.registry import credentials, devices
from services.registry.credentials import Wanted
from services.registry.products import registration_secret
from services.registry.routes.credentials import IssuedOut, issued_out
from services.registry.served import DEFAULT_TENANT, Served
from services.registry.store import Reading
from services.registry.words import Name
from telemetry.changes import DeviceBody, TenantBody
from telemetry.devices import Device, full_name

router = APIRouter(prefix="/v1/register", tags=["registration"])
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$")]
Random = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{8,64}$")]
NOBODY = b"no product has this secret"


class RegistrationIn(BaseModel):
    """A device asks for its secret; `random` is of its own choice."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name = DEFAULT_TENANT
    product_key: Name
    device_name: Name
    random: Random
    sign: Hex
    """Hex of HMAC-SHA256(product secret, `deviceName{n}productKey{k}random{r}`)."""


@router.post("", status_code=HTTPStatus.CREATED)
def register_device(wanted: RegistrationIn, served: Served) -> IssuedOut:
    """Enrol the device and issue its secret, once: one that has a secret gets none.

    Off unless an admin has opened the registration of the product.
    """
    with served.store.reading() as reading:
        secret = None
        if not _is_shut(reading, wanted.tenant):
            secret = registration_secret(reading, served.ring, wanted.tenant, wanted.product_key)
    # A product that does not register costs as much as a wrong signature, and looks the same.
    is_signed = hmac.compare_digest(_signature(secret or NOBODY, wanted), wanted.sign.lower())
    if not secret or not is_signed:
        raise Problem(HTTPStatus.FORBIDDEN, "the registration is not signed by a product's secret")
    device = Device(full_name(wanted.product_key, wanted.device_name), wanted.tenant)
    with served.store.writing(f"device:{device.device_full}", served.now()) as writing:
        known = writing.get("device", device.tenant, device.device_full)
        if known and devices.of_device(
            writing, "credential", device.tenant, device.device_full, with_revoked=True
        ):
            raise conflict(f"{device.device_full} had its secret: an operator issues another")
        if known and isinstance(known.body, DeviceBody) and known.body.is_disabled:
            raise conflict(f"{device.device_full} is disabled: an operator enables it")
        devices.enrol(writing, [device], keep_known=True)
        asked = Wanted(device.tenant, device.device_full)
        issued = credentials.issue(writing, served.ring, asked)
    served.wake()
    return issued_out(issued)


def _is_shut(reading: Reading, tenant: str) -> bool:
    """Say whether no device of a tenant may connect."""
    found = reading.get("tenant", tenant, tenant)
    return found is not None and isinstance(found.body, TenantBody) and found.body.is_disabled


def _signature(secret: bytes, wanted: RegistrationIn) -> str:
    signed = f"deviceName{wanted.device_name}productKey{wanted.product_key}random{wanted.random}"
    return hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
