"""Secrets of devices: issued, rotated and revoked; each is shown once."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.moments import SaidTime
from services.problems import not_found
from services.registry import credentials
from services.registry.credentials import Issued, Wanted
from services.registry.devices import of_device, the_device
from services.registry.served import Access, Operator, Viewer
from services.registry.store import Entry
from services.registry.words import DeviceFull, Name
from telemetry.changes import ChangeKey, CredentialBody
from telemetry.devices import split_full_name

router = APIRouter(prefix="/v1/devices/{device_full}/credentials", tags=["credentials"])
State = Literal["live", "expired", "revoked"]
GivenSecret = Annotated[
    str, StringConstraints(min_length=16, max_length=128, pattern=r"^[\x21-\x7e]*$")
]


class IssueIn(BaseModel):
    """A secret of the caller's own, for devices that bring theirs; and until when."""

    model_config = ConfigDict(extra="forbid")

    secret: GivenSecret | None = None
    valid_until: SaidTime | None = None


class RotateIn(IssueIn):
    """How long the secret before lives on."""

    overlap_d: float | None = Field(default=None, ge=0, le=3650, description="days; default 90")


class CredentialOut(BaseModel):
    """A secret, without the secret."""

    credential_id: str
    device_full: str
    state: State
    valid_from: datetime
    valid_until: datetime | None
    revoked_at: datetime | None


class IssuedOut(BaseModel):
    """A new secret; it is shown this once."""

    credential_id: str
    device_full: str
    product_key: str
    device_name: str
    secret: str
    valid_from: datetime
    valid_until: datetime | None


@router.get("")
def list_credentials(device_full: DeviceFull, access: Viewer) -> list[CredentialOut]:
    """List a device's secrets, those that are over too."""
    with access.registry.store.reading() as reading:
        the_device(reading, access.tenant, device_full)
        held = of_device(reading, "credential", access.tenant, device_full, with_revoked=True)
    return [_out(one, access.registry.now()) for one in held]


@router.post("", status_code=HTTPStatus.CREATED)
def issue_credential(device_full: DeviceFull, wanted: IssueIn, access: Operator) -> IssuedOut:
    """Issue a secret; a device may have two at most."""
    with access.writing() as writing:
        the_device(writing, access.tenant, device_full)
        issued = credentials.issue(
            writing, access.registry.ring, _wanted(access, device_full, wanted)
        )
    access.registry.wake()
    return issued_out(issued)


@router.post("/rotate", status_code=HTTPStatus.CREATED)
def rotate_credential(device_full: DeviceFull, wanted: RotateIn, access: Operator) -> IssuedOut:
    """Issue a new secret; the one before lives on for the overlap."""
    days = wanted.overlap_d
    overlap = access.registry.overlap if days is None else timedelta(days=days)
    with access.writing() as writing:
        the_device(writing, access.tenant, device_full)
        asked = _wanted(access, device_full, wanted)
        issued = credentials.rotate(writing, access.registry.ring, asked, overlap)
    access.registry.wake()
    return issued_out(issued)


@router.delete("/{credential_id}")
def revoke_credential(
    device_full: DeviceFull, credential_id: Name, access: Operator
) -> CredentialOut:
    """Revoke one secret for good."""
    name = f"{device_full}/{credential_id}"
    with access.writing() as writing:
        found = writing.get("credential", access.tenant, name)
        if found is None:
            raise not_found("credential", credential_id)
        writing.revoke([ChangeKey("credential", access.tenant, name)], "revoke")
        held = of_device(writing, "credential", access.tenant, device_full, with_revoked=True)
    access.registry.wake()
    return next(_out(one, access.registry.now()) for one in held if one.key.name == name)


def _wanted(access: Access, device_full: str, given: IssueIn) -> Wanted:
    return Wanted(access.tenant, device_full, given.secret, given.valid_until)


def issued_out(issued: Issued) -> IssuedOut:
    """Return a new secret with the triple that a device signs by."""
    product, device = split_full_name(issued.device_full)
    return IssuedOut(
        credential_id=issued.credential_id,
        device_full=issued.device_full,
        product_key=product,
        device_name=device,
        secret=issued.secret,
        valid_from=issued.valid_from,
        valid_until=issued.valid_until,
    )


def _out(found: Entry, now: datetime) -> CredentialOut:
    assert isinstance(found.body, CredentialBody)
    return CredentialOut(
        credential_id=found.key.name.partition("/")[2],
        device_full=found.body.device_full,
        state=_state(found, found.body, now),
        valid_from=found.body.valid_from,
        valid_until=found.body.valid_until,
        revoked_at=found.revoked_at,
    )


def _state(found: Entry, body: CredentialBody, now: datetime) -> State:
    if found.revoked_at is not None:
        return "revoked"
    return "expired" if body.valid_until is not None and body.valid_until <= now else "live"
