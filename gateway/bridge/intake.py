"""Messages from a broker until they are durable: held while the store is away, answered in turn.

MQTT has acknowledgements go out in the order of the messages, and the broker sends no more than
its window ahead of them. So a store that takes nothing stops the broker by itself, and where the
broker does not keep to the window, nothing more is read: nothing is acknowledged, nothing is thrown
away, and the oldest message is tried again and again.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from edge.mqtt.encoding import encode
from edge.mqtt.packets import PUBACK, PUBCOMP, PUBREC, Ack, Publish
from edge.mqtt.wire import V5
from gateway.counters import Counters
from gateway.outcome import Rejected
from gateway.outlet import Settle

AGAIN_S = 0.5
MOST_AGAIN_S = 5.0

State = Literal["waits", "is sent", "is durable"]
Write = Callable[[bytes], None]


class Way(Protocol):
    """Where messages become durable."""

    def publish(self, topic: str, payload: bytes, *, now: int, settle: Settle) -> Rejected | None:
        """Take a message; a refusal that is returned or settled and not kept passes."""


class Pending:
    """A message without its answer."""

    __slots__ = ("intake", "publish", "received_at", "state")

    def __init__(self, intake: "Intake", publish: Publish, received_at: int) -> None:
        self.intake: Intake | None = intake
        self.publish = publish
        self.received_at = received_at
        self.state: State = "waits"

    def settle(self, error: object, _message: object) -> None:
        """Note what became of it; after its connection has gone that is nobody's concern."""
        if self.intake is not None:
            self.intake.settled(self, error)


class Intake:
    """Takes messages one connection after another; times are of a clock that never goes back."""

    def __init__(self, way: Way, counters: Counters, *, window: int) -> None:
        self._way = way
        self._counters = counters
        self._window = window
        self._write: Write = _nowhere
        self._again_s = AGAIN_S
        self._again_at: float | None = None
        self._probe: Pending | None = None
        self._received: set[int] = set()
        """Packet ids of QoS 2 that are answered by PUBREC and not released yet."""
        self.pending: deque[Pending] = deque()
        self.is_held = False
        """Whether the store takes nothing."""
        self.why = ""
        """What it said last when it took nothing."""

    def begin(self, write: Write, *, is_resumed: bool) -> None:
        """Answer on a new connection; what came on the last one, the broker sends again."""
        self.end()
        self._write = write
        if not is_resumed:
            self._received.clear()

    def end(self) -> None:
        """Forget what waits for an answer that can no longer be given."""
        for pending in self.pending:
            pending.intake = None
        self.pending.clear()
        self._write = _nowhere

    def take(self, publish: Publish, now: int) -> None:
        """Take a message; `now` in epoch microseconds is when it was received."""
        self._counters.add("bridged", qos=str(publish.qos))
        if publish.dup:
            self._counters.add("bridged_again")
        if publish.qos == 2 and publish.dup and self._is_again(publish.packet_id):
            return
        if self.is_full and not publish.qos:
            self._counters.add("bridge_dropped")
            return
        pending = Pending(self, publish, now)
        self.pending.append(pending)
        if not self.is_held:
            self._send(pending)

    @property
    def is_full(self) -> bool:
        """Whether a whole window waits, so that no more should be read.

        Not every broker keeps to the receive maximum when it goes on with a session (mosquitto
        2.0.11 with `max_inflight_messages 0` does not), and to send it away would help nobody.
        """
        return len(self.pending) >= self._window

    def _is_again(self, packet_id: int) -> bool:
        """Answer a message of QoS 2 that is durable already; one on its way is answered in turn."""
        if packet_id in self._received:
            self._write(encode(Ack(PUBREC, packet_id), V5))
            return True
        return any(p.publish.qos == 2 and p.publish.packet_id == packet_id for p in self.pending)

    def _send(self, pending: Pending) -> None:
        pending.state = "is sent"
        publish = pending.publish
        refusal = self._way.publish(
            publish.topic, publish.payload, now=pending.received_at, settle=pending.settle
        )
        if refusal is not None:
            pending.settle(refusal, None)

    def settled(self, pending: Pending, error: object) -> None:
        """Answer what is durable, and hold what the store did not take."""
        if error is not None and not (isinstance(error, Rejected) and error.is_kept):
            pending.state = "waits"
            if not self.is_held:
                self._counters.add("bridge_held")
            self.is_held = True
            self.why = error.text if isinstance(error, Rejected) else str(error)
            return
        pending.state = "is durable"
        self._answer_in_turn()
        if pending is self._probe:
            self._release()

    def _answer_in_turn(self) -> None:
        pending = self.pending
        while pending and pending[0].state == "is durable":
            publish = pending.popleft().publish
            if publish.qos:
                self._write(encode(_answer(publish), V5))
                self._counters.add("bridge_acknowledged")
            if publish.qos == 2:
                self._received.add(publish.packet_id)

    def tick(self, now: float) -> None:
        """Try the oldest again, ever more slowly, once nothing else is on its way."""
        if not self.is_held or any(each.state == "is sent" for each in self.pending):
            return
        if not self.pending:
            # Their connection went with them; the broker sends them again.
            self._release()
        elif self._again_at is None:
            self._again_at = now + self._again_s
            self._again_s = min(self._again_s * 2, MOST_AGAIN_S)
        elif now >= self._again_at:
            self._again_at = None
            self._probe = next(each for each in self.pending if each.state == "waits")
            self._send(self._probe)

    def _release(self) -> None:
        """Send all that was held, in its order, since the store takes messages again."""
        self.is_held, self._probe, self._again_at = False, None, None
        for pending in [each for each in self.pending if each.state == "waits"]:
            self._send(pending)
            if self.is_held:
                return
        self._again_s = AGAIN_S

    def released(self, packet_id: int) -> None:
        """Take PUBREL: the packet id is free again."""
        self._received.discard(packet_id)
        self._write(encode(Ack(PUBCOMP, packet_id), V5))


def _answer(publish: Publish) -> Ack:
    return Ack(PUBREC if publish.qos == 2 else PUBACK, publish.packet_id)


def _nowhere(_data: bytes) -> None:
    return None
