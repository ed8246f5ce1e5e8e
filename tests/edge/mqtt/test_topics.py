"""Topic filters, against the plain meaning of the specification."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.mqtt.topics import check_filter, check_topic, matches
from edge.mqtt.wire import MqttError

names = st.lists(st.sampled_from(["a", "b", "$c", ""]), min_size=1, max_size=4).map("/".join)
patterns = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]) or "a",
    st.lists(st.sampled_from(["a", "b", "$c", "", "+"]), max_size=4),
    st.sampled_from([[], ["#"]]),
)


def by_expression(pattern: str, topic: str) -> bool:
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    if pattern == "#":
        return True
    head, is_open, _ = pattern.partition("/#") if pattern.endswith("/#") else (pattern, "", "")
    levels = "/".join("[^/]*" if level == "+" else re.escape(level) for level in head.split("/"))
    return re.fullmatch(levels + ("(/.*)?" if is_open else ""), topic) is not None


@given(patterns, names)
def test_matching_is_what_the_specification_says(pattern: str, topic: str) -> None:
    assert matches(pattern, topic) is by_expression(pattern, topic)


@pytest.mark.parametrize(
    ("pattern", "topic", "is_matched"),
    [
        ("sport/#", "sport", True),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("+/monitor", "$SYS/monitor", False),
    ],
)
def test_examples_of_the_specification(pattern: str, topic: str, is_matched: bool) -> None:
    assert matches(pattern, topic) is is_matched


@pytest.mark.parametrize("pattern", ["", "a#", "#/a", "a+", "+a/b", "$share/g", "$share/+/a"])
def test_what_is_no_filter_is_refused(pattern: str) -> None:
    with pytest.raises(MqttError):
        check_filter(pattern)


def test_shared_filter_is_looked_into() -> None:
    assert check_filter("$share/group/a/+") == "a/+"


@pytest.mark.parametrize("topic", ["", "a/+", "#"])
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(MqttError):
        check_topic(topic)
