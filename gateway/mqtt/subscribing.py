"""SUBSCRIBE and UNSUBSCRIBE: which topics a session gets, and the code of each filter."""

from edge.mqtt.packets import Subscribe, Subscription, Unsubscribe
from edge.mqtt.topics import SHARED
from edge.mqtt.wire import TOPIC_FILTER_INVALID, V5
from gateway.entrance import LONGEST_PART
from gateway.mqtt.session import Session
from gateway.mqtt.sessions import held

MOST_SUBSCRIPTIONS = 100
"""Of a session, and filters that one SUBSCRIBE may name: each brings what is retained."""
UNSPECIFIED = 0x80
NOT_AUTHORISED = 0x87
QUOTA_EXCEEDED = 0x97
NO_SHARED = 0x9E
NO_SUBSCRIPTION = 0x11


def subscribe(session: Session, packet: Subscribe, version: int) -> tuple[int, ...]:
    """Add what a session may have, and return the codes of the SUBACK."""
    identifiers = packet.properties.subscription_ids
    identifier = identifiers[0] if identifiers else None
    named = enumerate(packet.subscriptions)
    codes = [
        _subscribed(session, wanted, identifier) if number < MOST_SUBSCRIPTIONS else QUOTA_EXCEEDED
        for number, wanted in named
    ]
    return tuple(code if code < 0x80 or version == V5 else UNSPECIFIED for code in codes)


def _subscribed(session: Session, wanted: Subscription, identifier: int | None) -> int:
    known, pattern = session.subscriptions, wanted.pattern
    if pattern.startswith(SHARED):
        return NO_SHARED
    found = held(wanted, session.identity, identifier)
    if found is None:
        return NOT_AUTHORISED
    if len(found.part) > LONGEST_PART:
        return TOPIC_FILTER_INVALID
    if pattern not in known and len(known) >= MOST_SUBSCRIPTIONS:
        return QUOTA_EXCEEDED
    known[pattern] = found
    return wanted.qos


def unsubscribe(session: Session, packet: Unsubscribe) -> tuple[int, ...]:
    """Remove what a session had, and return the codes of the UNSUBACK."""
    known = session.subscriptions
    return tuple(0 if known.pop(pattern, None) else NO_SUBSCRIPTION for pattern in packet.patterns)
