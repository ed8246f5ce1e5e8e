"""Ledger lines, written fast: what `telemetry.ledger` writes, byte for byte, from parts."""

from simulator.drafts import Outcome
from telemetry.ledger import Sent, line

TENANT = "default"


def sent_head(device_full: str, boot: str) -> str:
    """Return a device's sent line up to the number of its message."""
    return f'{{"e":"sent","tenant":"{TENANT}","device":"{device_full}","boot":"{boot}","seq":'


def sent_in_time(head: str, seq: int, digest: str, sent_at: int, event_time: int) -> str:
    """Return the line of a message that silver must hold."""
    return (
        f'{head}{seq},"sha256":"{digest}","sent_at":{sent_at},"event_time":{event_time}'
        ',"expect":"silver","reason":null}\n'
    )


def sent_line(device_full: str, outcome: Outcome, digest: str, sent_at: int) -> str:
    """Return the line of any message."""
    entry = Sent(
        e="sent",
        tenant=TENANT,
        device=device_full,
        boot=outcome.boot,
        seq=outcome.seq,
        sha256=digest,
        sent_at=sent_at,
        event_time=outcome.event_time,
        expect=outcome.expect,
        reason=outcome.reason,
    )
    return line(entry).decode()


def ack_head(boot: str | None, seq: int | None, digest: str) -> str:
    """Return an acknowledgement's line up to its time."""
    key = "null" if boot is None else f'"{boot}"'
    number = "null" if seq is None else seq
    return f'{{"e":"ack","boot":{key},"seq":{number},"sha256":"{digest}","at":'


def ack_lines(heads: list[str], at: int) -> str:
    """Return the lines of messages that were acknowledged at one time."""
    tail = f"{at}}}\n"
    return "".join([f"{head}{tail}" for head in heads])
