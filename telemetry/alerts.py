"""The alert on Kafka topic `alerts`: what a detector tells, as JSON; key: who it is about.

An alert's id follows from what it is about, so overlap, replay and at-least-once sinks tell the
same alert again, never a second one.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from telemetry.errors import HeadwaterError

State = Literal["firing", "resolved"]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the least to the gravest."""

LONGEST_NAME = 300
_Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
_Id = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
_Micros = Annotated[int, Meta(ge=0, lt=2**62)]
_SEPARATOR = "\x1f"
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_ABSENT = re.compile(r"missing required field `([^`]*)`")


class AlertError(HeadwaterError):
    """A record of topic `alerts` does not read as one: which field breaks which rule."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"alert: {field or 'record'}: {rule}")
        self.field = field
        self.rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, or the word that it is over. Times are in microseconds since 1970, UTC.

    `device` is a full name; where it is None, the alert is about the `zone`, or the whole tenant.
    `evidence` holds (time, value) of the last hour where the detector has it. `baseline_version`,
    an ISO date, names the stored baseline, where the detector has not learnt its own yet.
    """

    id: _Id
    tenant: _Name
    rule: _Name
    rule_version: Annotated[int, Meta(ge=0, lt=2**31)]
    state: State
    severity: Severity
    event_time: _Micros
    detected_at: _Micros
    text: Annotated[str, Meta(min_length=1, max_length=4000)]
    device: _Name | None = None
    product: _Name | None = None
    zone: _Name | None = None
    customer: _Name | None = None
    metric: _Name | None = None
    value: float | None = None
    bound: float | None = None
    score: float | None = None
    baseline: float | None = None
    deviation: float | None = None
    baseline_version: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    evidence: Annotated[tuple[tuple[_Micros, float | None], ...], Meta(max_length=5000)] = ()
    v: Literal[1] = 1

    def key(self) -> bytes:
        """Return the record's key: all that is told of one device stays in its order."""
        return (self.device or f"{self.tenant}/{self.zone or ''}").encode()

    def to_json(self) -> bytes:
        """Return the record's value; a number that JSON has not is null."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, content: bytes) -> "Alert":
        """Read a record's value; raise `AlertError` for one that is none."""
        try:
            return _DECODER.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _told(str(error)) from error


_DECODER = msgspec.json.Decoder(Alert)


def _told(said: str) -> AlertError:
    place, absent = _PLACE.search(said), _ABSENT.search(said)
    outer = place[1] if place else ""
    if absent:
        return AlertError(absent[1], "is missing")
    return AlertError(outer, _PLACE.sub("", said))


def alert_id(  # noqa: PLR0913 - each is a part of what the alert is about
    rule: str, version: int, tenant: str, device: str | None, event_time: int, key: str
) -> str:
    """Return the id: 32 hex digits of a SHA-256 over what the alert is about.

    `event_time` in microseconds since 1970; `key` tells apart several alerts of one device at one
    time, such as those of two metrics.
    """
    parts = (rule, str(version), tenant, device or "", str(event_time), key)
    return hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]
