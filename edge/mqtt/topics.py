"""Topic names and filters: what is valid, and what matches."""

from edge.mqtt.wire import TOPIC_FILTER_INVALID, TOPIC_NAME_INVALID, MqttError

LONGEST_TOPIC = 65_535
SHARED = "$share/"


def check_topic(topic: str) -> str:
    """Return a topic that a message may be published to, or raise."""
    if not topic or "+" in topic or "#" in topic:
        raise MqttError(TOPIC_NAME_INVALID, f"{topic!r} is no topic name")
    return topic


def check_filter(pattern: str) -> str:
    """Return a topic filter (or the filter inside a shared subscription's), or raise."""
    inner = pattern
    if pattern.startswith(SHARED):
        _, group, inner = (*pattern.split("/", 2), "", "")[:3]
        if not group or "+" in group or "#" in group:
            raise MqttError(TOPIC_FILTER_INVALID, f"{pattern!r} names no group")
    levels = inner.split("/")
    for position, level in enumerate(levels):
        is_last = position == len(levels) - 1
        if ("#" in level and (level != "#" or not is_last)) or ("+" in level and level != "+"):
            raise MqttError(TOPIC_FILTER_INVALID, f"{pattern!r} is no topic filter")
    if not inner:
        raise MqttError(TOPIC_FILTER_INVALID, "an empty topic filter")
    return inner


def matches(pattern: str, topic: str) -> bool:
    """Say whether a topic is matched; a leading wildcard matches no topic that begins with `$`."""
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    return matches_levels(pattern, topic)


def matches_levels(pattern: str, topic: str) -> bool:
    """Say whether levels are matched that are not the first of their topic: `$` means nothing."""
    names = topic.split("/")
    levels = pattern.split("/")
    for position, level in enumerate(levels):
        if level == "#":
            return True
        if position >= len(names) or level not in ("+", names[position]):
            return False
    return len(names) == len(levels)
