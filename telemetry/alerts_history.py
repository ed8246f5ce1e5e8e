"""Records of topic `alerts.history`: an alert as it is after a change; key: the alert's id.

The newest `updated_at` of an alert is the newest word on it; each change has a later one.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec

from telemetry.alerts import Severity
from telemetry.errors import HeadwaterError

Phase = Literal["open", "acknowledged", "resolved"]


class HistoryError(HeadwaterError):
    """A record of `alerts.history` does not read as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLife:
    """A row of `gold.alerts`, whose columns say what each field is. Times: microseconds, UTC."""

    alert_id: str
    tenant: str
    rule: str
    rule_version: int | None
    severity: Severity
    state: Phase
    device_full: str | None
    product: str | None
    zone: str | None
    metric: str | None
    value: float | None
    bound: float | None
    message: str | None
    opened_at: int
    acknowledged_at: int | None
    resolved_at: int | None
    updated_at: int
    customer: str | None = None

    def to_json(self) -> bytes:
        """Return the record's value."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, content: bytes) -> "AlertLife":
        """Read a record's value; raise `HistoryError` for one that is none."""
        try:
            return _DECODER.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise HistoryError(f"alerts.history: {error}") from error


_DECODER = msgspec.json.Decoder(AlertLife)
