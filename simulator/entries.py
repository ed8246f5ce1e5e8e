"""Ledger lines, written fast: what `telemetry.ledger` writes, byte for byte, from parts."""

from collections.abc import Iterable

from simulator.drafts import Fate, Outcome

TENANT = "default"


def sent_head(device_full: str, boot: str) -> str:
    """Return a device's sent line up to the number of its message."""
    return f'{{"e":"sent","tenant":"{TENANT}","device":"{device_full}","boot":"{boot}","seq":'


def sent_tail(fate: Fate) -> str:
    """Return a sent line's end: where the message must come out."""
    expect, reason = fate
    return f',"expect":"{expect}","reason":{_text(reason)}}}\n'


def sent_lines(rows: Iterable[tuple[str, int, str, int, str]], sent_at: int) -> list[str]:
    """Return lines of messages that are sent at once: head, seq, digest, event time, tail each."""
    return [
        f'{head}{seq},"sha256":"{digest}","sent_at":{sent_at},"event_time":{event_time}{tail}'
        for head, seq, digest, event_time, tail in rows
    ]


def sent_line(device_full: str, outcome: Outcome, digest: str, sent_at: int) -> str:
    """Return the line of any message."""
    boot, seq, event_time = outcome.boot, outcome.seq, outcome.event_time
    return (
        f'{{"e":"sent","tenant":"{TENANT}","device":"{device_full}","boot":{_text(boot)}'
        f',"seq":{_number(seq)},"sha256":"{digest}","sent_at":{sent_at}'
        f',"event_time":{_number(event_time)},"expect":"{outcome.expect}"'
        f',"reason":{_text(outcome.reason)}}}\n'
    )


def label_line(device_full: str, metric: str, kind: str, begin: int, end: int) -> str:
    """Return the line of what truly goes wrong; event times in microseconds."""
    return (
        f'{{"e":"label","tenant":"{TENANT}","device":"{device_full}","metric":"{metric}"'
        f',"kind":"{kind}","from":{begin},"to":{end}}}\n'
    )


_ACK = '{"e":"ack"'


def _text(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def ack_head(boot: str | None, seq: int | None, digest: str) -> str:
    """Return an acknowledgement's line up to its time."""
    return f'{{"e":"ack","boot":{_text(boot)},"seq":{_number(seq)},"sha256":"{digest}","at":'


def ack_heads(boot: str, seqs: list[int], digests: list[str]) -> list[str]:
    """Return the heads of many messages of one boot."""
    head = f'{{"e":"ack","boot":{_text(boot)},"seq":'
    return [
        f'{head}{seq},"sha256":"{digest}","at":' for seq, digest in zip(seqs, digests, strict=True)
    ]


def again_lines(device_full: str, heads: list[str], at: int) -> str:
    """Return the lines of messages, by the heads of their acks, that a device sent once more."""
    start = f'{{"e":"again","tenant":"{TENANT}","device":"{device_full}"'
    return "".join(f"{start}{head[len(_ACK) :]}{at}}}\n" for head in heads)


def ack_lines(heads: list[str], at: int) -> str:
    """Return the lines of messages that were acknowledged at one time."""
    tail = f"{at}}}\n"
    return tail.join([*heads, ""])
