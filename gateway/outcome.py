"""What becomes of an arrival: accepted, or rejected with a reason that each protocol can say."""

from typing import Literal, NamedTuple

Reason = Literal[
    "not_authenticated",
    "locked_out",
    "not_authorised",
    "topic",
    "too_large",
    "content_type",
    "incomplete",
    "undecodable",
    "device_mismatch",
    "rate",
    "busy",
    "unavailable",
]


class Code(NamedTuple):
    """How the protocols say a reason: MQTT 5 on PUBACK, HTTP, CoAP (class, detail)."""

    mqtt: int
    http: int
    coap: tuple[int, int]


CODES: dict[Reason, Code] = {
    "not_authenticated": Code(0x87, 401, (4, 1)),
    "locked_out": Code(0x87, 429, (4, 29)),
    "not_authorised": Code(0x87, 403, (4, 3)),
    "topic": Code(0x90, 404, (4, 4)),
    "too_large": Code(0x83, 413, (4, 13)),
    "content_type": Code(0x99, 415, (4, 15)),
    "incomplete": Code(0x83, 408, (4, 8)),
    "undecodable": Code(0x99, 422, (4, 22)),
    "device_mismatch": Code(0x99, 422, (4, 22)),
    "rate": Code(0x97, 429, (4, 29)),
    "busy": Code(0x97, 503, (5, 3)),
    "unavailable": Code(0x83, 503, (5, 3)),
}


class Fault(NamedTuple):
    """What is wrong with one message of a record: where, the field, the rule, the value."""

    item: int
    field: str
    rule: str
    value: str


class Rejected(NamedTuple):
    """A refusal: its reason, words for people, the limit that was met, when to try again."""

    reason: Reason
    text: str
    limit: str = ""
    retry_after_s: float | None = None
    faults: tuple[Fault, ...] = ()
    is_kept: bool = False
    """Whether the bytes are in `telemetry.dead`, so that sending them again is of no use."""

    kept: int = 0
    """How many records of a batch are durable although others of it are not."""
    not_kept: int = 0
    """How many records of a batch nothing acknowledged."""

    @property
    def code(self) -> Code:
        """How the protocols say it."""
        return CODES[self.reason]

    @property
    def words(self) -> str:
        """What a person reads: reason, text, limit and the time to try again."""
        words = f"{self.reason}: {self.text}"
        if self.limit:
            words += f"; limit {self.limit}"
        if self.retry_after_s is not None:
            words += f"; retry after {self.retry_after_s:.3f} s"
        return words[:500]

    def receipt(self, topic: str | None = None) -> dict[str, object]:
        """Return what a device is told of a refused message; an answer has no topic."""
        told: dict[str, object] = {} if topic is None else {"topic": topic}
        told |= {"reason": self.reason, "text": self.text}
        if self.limit:
            told["limit"] = self.limit
        if self.retry_after_s is not None:
            told["retry_after_s"] = round(self.retry_after_s, 3)
        if self.faults:
            told["faults"] = [fault._asdict() for fault in self.faults[:20]]
        return told
