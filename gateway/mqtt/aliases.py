"""Topic aliases that a client gives: what an empty topic stands for, within bounds."""

from edge.mqtt.packets import Publish
from edge.mqtt.wire import PROTOCOL_ERROR, TOPIC_ALIAS_INVALID, MqttError
from gateway.mqtt.connecting import ALIAS_MAXIMUM
from gateway.mqtt.subscribing import QUOTA_EXCEEDED

MOST_LETTERS = 128 * 1024
"""Of all topics that a connection has aliases for: one topic may have 65,535."""


class Aliases:
    """Those of one connection."""

    def __init__(self) -> None:
        self._topics: dict[int, str] = {}

    def topic(self, publish: Publish) -> str:
        """Return a message's topic, and remember what its alias stands for from now on."""
        alias = publish.properties.topic_alias
        if alias is None:
            return publish.topic
        if alias > ALIAS_MAXIMUM:
            text = f"topic alias {alias}; the most is {ALIAS_MAXIMUM}"
            raise MqttError(TOPIC_ALIAS_INVALID, text)
        if publish.topic:
            self._topics[alias] = publish.topic
            if sum(map(len, self._topics.values())) > MOST_LETTERS:
                text = f"topics with aliases have at most {MOST_LETTERS:,} letters together"
                raise MqttError(QUOTA_EXCEEDED, text)
        topic = self._topics.get(alias)
        if topic is None:
            raise MqttError(PROTOCOL_ERROR, f"topic alias {alias} stands for nothing yet")
        return topic
