"""Each body of the poison breaks the rule that stands beside it."""

import pytest

from simulator.poison import CASES
from simulator.scoring.bodies import read_items
from telemetry.message import decode


@pytest.mark.parametrize("name", CASES)
def test_body_breaks_its_rule(name: str) -> None:
    body, rule = CASES[name]

    (found,) = decode(body)

    assert found.raw == body
    if rule == "unknown_metric":
        assert found.message is not None
        assert found.message.metrics
    else:
        assert [reason.rule for reason in found.reasons] == [rule]


@pytest.mark.parametrize("name", CASES)
def test_scorer_reads_the_same_messages(name: str) -> None:
    body, _ = CASES[name]

    assert [item.body for item in read_items(body)] == [body]


@pytest.mark.parametrize("name", ["lone surrogate escape", "reversed surrogates"])
def test_scorer_takes_half_a_surrogate_pair_for_no_message(name: str) -> None:
    body, _ = CASES[name]

    (item,) = read_items(body)

    assert item.fields is None


def test_scorer_reads_a_whole_surrogate_pair() -> None:
    (item,) = read_items(rb'{"metrics":{"mood":"\ud83d\ude00"}}')

    assert item.fields == {"metrics": {"mood": "\N{GRINNING FACE}"}}
