"""Lines written from parts are those that the ledger's own writer writes, byte for byte."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.drafts import Fate, Outcome
from simulator.entries import (
    TENANT,
    ack_head,
    ack_heads,
    ack_lines,
    again_lines,
    sent_head,
    sent_line,
    sent_lines,
    sent_tail,
)
from simulator.fates import FATES
from telemetry.ledger import Ack, Again, Sent, line

NUMBERS = st.integers(0, 2**53)
NAMES = st.text("abcz09._-", min_size=1)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
OUTCOMES = st.builds(
    Outcome,
    body=st.just(b""),
    boot=st.none() | NAMES,
    seq=st.none() | NUMBERS,
    event_time=st.none() | st.integers(-(2**53), 2**53),
    expect=st.sampled_from(["silver", "rejected", "late", "duplicate", "conflict"]),
    reason=st.none() | NAMES,
)


def sent(device: str, outcome: Outcome, digest: str, sent_at: int) -> str:
    """Return the line that the ledger's own writer makes."""
    entry = Sent(
        e="sent",
        tenant=TENANT,
        device=device,
        boot=outcome.boot,
        seq=outcome.seq,
        sha256=digest,
        sent_at=sent_at,
        event_time=outcome.event_time,
        expect=outcome.expect,
        reason=outcome.reason,
    )
    return line(entry).decode()


@given(NAMES, OUTCOMES, DIGESTS, NUMBERS)
def test_any_sent_line(device: str, outcome: Outcome, digest: str, sent_at: int) -> None:
    assert sent_line(device, outcome, digest, sent_at) == sent(device, outcome, digest, sent_at)


@given(NAMES, NAMES, DIGESTS, st.tuples(NUMBERS, NUMBERS, NUMBERS), st.sampled_from(FATES))
def test_lines_of_many(
    device: str, boot: str, digest: str, numbers: tuple[int, int, int], fate: Fate
) -> None:
    seq, sent_at, event_time = numbers
    outcome = Outcome(b"", boot, seq, event_time, *fate)
    row = (sent_head(device, boot), seq, digest, event_time, sent_tail(fate))
    assert sent_lines([row, row], sent_at) == [sent(device, outcome, digest, sent_at)] * 2


@given(NAMES, st.lists(st.tuples(NUMBERS, DIGESTS), max_size=5), NUMBERS)
def test_ack_lines_of_one_boot(boot: str, keys: list[tuple[int, str]], at: int) -> None:
    heads = ack_heads(boot, [seq for seq, _ in keys], [digest for _, digest in keys])
    expected = [
        line(Ack(e="ack", boot=boot, seq=seq, sha256=digest, at=at)) for seq, digest in keys
    ]
    assert ack_lines(heads, at) == b"".join(expected).decode()


@given(st.none() | NAMES, st.none() | NUMBERS, DIGESTS, NUMBERS)
def test_any_ack_line(boot: str | None, seq: int | None, digest: str, at: int) -> None:
    expected = line(Ack(e="ack", boot=boot, seq=seq, sha256=digest, at=at))
    assert ack_lines([ack_head(boot, seq, digest)], at) == expected.decode()


@given(NAMES, st.none() | NAMES, st.none() | NUMBERS, DIGESTS, NUMBERS)
def test_any_line_of_what_is_sent_again(
    device: str, boot: str | None, seq: int | None, digest: str, at: int
) -> None:
    expected = Again(
        e="again", tenant=TENANT, device=device, boot=boot, seq=seq, sha256=digest, at=at
    )
    assert again_lines(device, [ack_head(boot, seq, digest)], at) == line(expected).decode()
