"""Messages that came together: cut from what was read as one run, answered one by one in order."""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from gateway.account import Account
from gateway.channels import Channel
from gateway.counters import Tally
from gateway.mqtt.session import Came
from gateway.mqtt.wire import Sink
from gateway.outlet import Settle

PUBLISH_QOS_1 = 0x32
LEAST_PUBLISH = 8
MOST_CUT = 0xFFFF
PACKET_ID = 2
NO_ID = b"\0\0"
BRACE = 0x7B
_SUCCESS = b"@\x02"


class Route(NamedTuple):
    """A topic of the short way: authorised, JSON, and nobody here listens to it."""

    channel: Channel
    topic: str
    head: bytes
    """The topic as it stands in a packet, its length before it."""


Cut = tuple[Route, list[bytes], list[bytes], int]
"""Plain PUBLISHes of one topic: its route, their packet ids and payloads, where the last one stops.
"""


def cut(
    data: bytes, position: int, routes: Mapping[bytes, Route], skipped: int, most: int
) -> Cut | None:
    """Cut the plain PUBLISHes of QoS 1 at `position` that have one known topic, `most` at most.

    Plain is: neither retained nor sent again, without properties, its payload a JSON object. What
    is not so, not whole, or against the protocol is left to the ordinary way. `skipped` bytes
    stand between topic and payload: `PACKET_ID`, or that and the length of no properties. Routes
    are known by the topic as it stands in a packet, its length before it.
    """
    size, head, span = len(data), b"", 0
    packet_ids: list[bytes] = []
    payloads: list[bytes] = []
    while size - position > LEAST_PUBLISH and data[position] == PUBLISH_QOS_1:
        start, length = position + 2, data[position + 1]
        if length > 0x7F:
            high = data[start]
            if not 0 < high < 0x80:
                break
            length += (high << 7) - 0x80
            start += 1
        if not head:
            head = data[start : start + 2 + (data[start] << 8 | data[start + 1])]
            if head not in routes:
                return None
            span = len(head) + skipped
        elif not data.startswith(head, start):
            break
        stop, begin = start + length, start + span
        if stop > size or begin >= stop or data[begin] != BRACE or len(payloads) == most:
            break
        packet_id = data[begin - skipped : begin - skipped + 2]
        if packet_id == NO_ID or (skipped > PACKET_ID and data[begin - 1]):
            break
        packet_ids.append(packet_id)
        payloads.append(data[begin:stop])
        position = stop
    return (routes[head], packet_ids, payloads, position) if payloads else None


def alone(data: bytes, head: bytes, skipped: int) -> int:
    """Return where the payload begins if all that was read is one plain PUBLISH of this topic.

    0: it is something else, which `cut` or the ordinary way takes.
    """
    size = len(data)
    if size <= LEAST_PUBLISH or data[0] != PUBLISH_QOS_1:
        return 0
    start, length = 2, data[1]
    if length > 0x7F:
        high = data[2]
        if not 0 < high < 0x80:
            return 0
        length += (high << 7) - 0x80
        start = 3
    begin = start + len(head) + skipped
    if start + length != size or begin >= size or data[begin] != BRACE:
        return 0
    if not data.startswith(head, start) or (skipped > PACKET_ID and data[begin - 1]):
        return 0
    return begin


class Answering(Protocol):
    """Who knows the answers, and where they go."""

    sink: Sink
    runs: "deque[Run]"
    """What has no answer yet; answers go out in the order in which messages came."""
    unanswered: int
    accepted: Tally
    account: Account
    is_paused: bool
    """Whether the client is held back until fewer are unanswered."""

    def answer(self, run: "Run", number: int, error: object) -> bytes:
        """Return the answer to a message that is no plain success, and do what belongs to it."""

    def answers(self) -> bytes:
        """Return the answers whose turn it is."""


class Run:
    """Messages of one topic and QoS that have not all been answered."""

    __slots__ = (
        "_answers", "_asked", "_page", "_ready", "came", "packet_ids", "qos", "sent", "topic",
    )  # fmt: skip

    def __init__(
        self,
        asked: Answering,
        packet_ids: list[bytes],
        qos: int,
        topic: str,
        came: Came | None = None,
    ) -> None:
        self._asked = asked
        self._page = asked.account.page
        self.packet_ids = packet_ids
        self.qos = qos
        self.topic = topic
        self.came = came
        """What the session notes of it, for QoS 2."""
        self._ready = 0
        """All messages before this one are settled."""
        self.sent = 0
        """How many answers have gone out."""
        self._answers: dict[int, bytes] | None = None
        """Answers that are no plain success, or whose turn had not come."""

    def settles(self) -> Sequence[Settle]:
        """Return what settles each message."""
        count, settle = len(self.packet_ids), self._settle
        return [partial(settle, number) for number in range(count)]

    def settle(self, error: object, _message: object) -> None:
        """Settle the only message; an answer whose turn it is goes out without more ado."""
        asked = self._asked
        runs = asked.runs
        if error is None and self.qos == 1 and runs and runs[0] is self:
            runs.popleft()
            asked.unanswered -= 1
            asked.accepted.count += 1
            self._page.acknowledged += 1
            asked.sink.write(_SUCCESS + self.packet_ids[0])
            if runs or asked.is_paused:
                asked.sink.later(asked.answers)
        else:
            self._settle(0, error, _message)

    def _settle(self, number: int, error: object, _message: object) -> None:
        if error is None:
            self._asked.accepted.count += 1
            self._page.acknowledged += 1
        if error is None and number == self._ready and self._answers is None and self.qos == 1:
            self._ready = number + 1
        else:
            self._note(number, error)
        sink = self._asked.sink
        if sink.more is None:
            sink.later(self._asked.answers)

    def _note(self, number: int, error: object) -> None:
        if self._answers is None:
            self._answers = {}
        answers = self._answers
        if error is None and self.qos == 1:
            answers[number] = _SUCCESS + self.packet_ids[number]
        else:
            answers[number] = self._asked.answer(self, number, error)
        while self._ready in answers:
            self._ready += 1

    def answers(self) -> bytes:
        """Return the answers whose turn it is, each once."""
        first, last, packet_ids = self.sent, self._ready, self.packet_ids
        if first == last:
            return b""
        self.sent = last
        if last - first < len(packet_ids):
            packet_ids = packet_ids[first:last]
        known = self._answers
        if known is None:
            return _SUCCESS + _SUCCESS.join(packet_ids)
        found = (known.get(number) for number in range(first, last))
        return b"".join(
            _SUCCESS + packet_id if answer is None else answer
            for packet_id, answer in zip(packet_ids, found, strict=True)
        )
