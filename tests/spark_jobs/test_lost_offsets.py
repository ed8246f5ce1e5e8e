"""Which records are lost, against a log that is kept in full."""

import json

from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.lost_offsets import Log, Lost, lost, shown, starting_offsets, unanswered


@given(
    read=st.integers(0, 30),
    dropped=st.integers(0, 30),
    sent=st.integers(0, 30),
    grown=st.booleans(),
)
def test_gap_is_what_was_neither_read_nor_kept(
    read: int, dropped: int, sent: int, grown: bool
) -> None:
    read, dropped = min(read, sent), min(dropped, sent)
    logs = {0: Log(dropped, sent), **({1: Log(0, 5)} if grown else {})}
    found = lost({0: read}, logs, is_anew=False)
    missing = {n for each in found for n in range(each.first, (each.last or 0) + 1)}
    assert missing == set(range(read, dropped))
    starts = json.loads(starting_offsets("t", {0: read}, logs))["t"]
    taken = set(range(starts["0"], sent))
    assert taken | missing == set(range(read, sent))
    assert not taken & missing
    assert starts.get("1") == (0 if grown else None)


def test_topic_made_anew_loses_what_nobody_knows() -> None:
    anew = [Lost(0, 7, None, "topic made anew")]
    assert lost({0: 7}, {0: Log(0, 3)}, is_anew=False) == anew
    assert lost({0: 7}, {}, is_anew=False) == anew
    assert lost({0: 7}, {0: Log(0, 90)}, is_anew=True) == anew
    assert shown(anew, "telemetry") == "telemetry/0 from 7 on (topic made anew)"


def test_accepted_gap_is_answered_even_if_it_has_grown() -> None:
    gaps = [Lost(0, 5, 9, "dropped"), Lost(1, 5, 9, "dropped")]
    assert unanswered(gaps, {(0, 5)}) == gaps[1:]
