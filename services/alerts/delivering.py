"""Delivers the outbox: a thread a receiver, so a sink that hangs or fails holds up no other."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.alerts.channels.sink import Outgoing, Sink
from services.alerts.configuration import EVERY_TENANT, Configuration, Receiver
from services.alerts.outbox import Answer, Waiting, chosen, outcome, wait_after
from services.alerts.tables import MESSAGES, TRIES
from services.alerts.waiting import Line
from services.database import Turns
from telemetry.errors import HeadwaterError

LOOK_EVERY = timedelta(seconds=5)
FAILED = timedelta(seconds=2)
log = logging.getLogger(__name__)
Open = Callable[[Receiver], Sink]


class Delivery:
    """One receiver's messages: sent one after another, again until the sink takes them."""

    def __init__(
        self, receiver: Receiver, opened: Open, turns: Turns, now: Callable[[], datetime]
    ) -> None:
        self.receiver = receiver
        self.give_up = timedelta(days=3)
        self._open = opened
        self._turns = turns
        self._now = now
        self._line = Line(receiver.name, turns)
        self._sink: Sink | None = None
        self._failures = 0
        self._rest: tuple[datetime, datetime] | None = None
        """From when until when the sink is left alone."""

    def step(self) -> timedelta:
        """Send the next message that is due; return how long there is nothing to do."""
        now = self._now()
        if self._rest and self._rest[0] <= now < self._rest[1]:
            return self._rest[1] - now
        waiting = self._line.read(now)
        message = chosen(waiting, now)
        if message is None:
            soonest = min((each.next_at for each in waiting), default=now + LOOK_EVERY)
            return min(max(soonest - now, timedelta(milliseconds=50)), LOOK_EVERY)
        began = time.monotonic()
        answer = self._sent(message)
        self._settle(message, answer, (time.monotonic() - began) * 1000)
        return timedelta()

    def _sent(self, message: Waiting) -> Answer:
        try:
            self._sink = self._sink or self._open(self.receiver)
        except HeadwaterError as error:
            return Answer(None, str(error))
        query = select(MESSAGES.c.content).where(MESSAGES.c.number == message.number)
        with self._turns.reading() as connection:
            content = connection.execute(query).scalar_one()
        return self._sink.send(Outgoing(message.key, content))

    def _settle(self, message: Waiting, answer: Answer, latency_ms: float) -> None:
        """Note a try, and what becomes of the message; a sink that fails is left alone a while."""
        now, how = self._now(), outcome(answer)
        state, next_at = {"delivered": "delivered", "refused": "refused"}.get(how, "waiting"), now
        if how == "retry":
            self._failures += 1
            next_at += wait_after(message.tries + 1, message.key, answer.retry_after)
            rest = wait_after(self._failures, message.key, answer.retry_after)
            self._rest = (now, now + rest)
            if now - message.created_at >= self.give_up:
                state = "given_up"
        else:
            self._failures, self._rest = 0, None
        if how != "delivered":
            log.warning(
                "message %s to %s: %s, status %s %s",
                message.key, self.receiver.name, state, answer.status, answer.reason,
            )  # fmt: skip
        values = {"state": state, "tries": message.tries + 1, "next_at": next_at}
        if state != "waiting":
            values["settled_at"] = now
        tried = {"key": message.key, "at": now, "outcome": how, "status": answer.status}
        noted = {**tried, "latency_ms": latency_ms, "reason": answer.reason}
        with self._turns.writing() as connection:
            connection.execute(insert(TRIES).values(noted))
            this = MESSAGES.c.number == message.number
            connection.execute(update(MESSAGES).where(this).values(values))

    def close(self) -> None:
        """Close the sink."""
        if self._sink:
            self._sink.close()
            self._sink = None


def _is_for_nobody(known: Configuration) -> ColumnElement[bool]:
    """Return the condition of messages that nobody is to have any more.

    What a person may hear is the person's own, by whatever receiver.
    """
    to, person, tenant = MESSAGES.c.receiver, MESSAGES.c.person, MESSAGES.c.tenant
    direct = person.is_(None)
    served = [
        *((direct & (to == name), one.tenants) for name, one in known.receivers.items()),
        *((person == name, one.tenants) for name, one in known.people.items()),
    ]
    foreign = (
        is_theirs & tenant.not_in(tenants)
        for is_theirs, tenants in served
        if EVERY_TENANT not in tenants
    )
    return or_(to.not_in(list(known.receivers)), *foreign)


class Deliveries:
    """The threads of all receivers, begun when there is something for one."""

    def __init__(self, opened: Open, turns: Turns, now: Callable[[], datetime]) -> None:
        self._open, self._turns, self._now = opened, turns, now
        self._configuration = Configuration()
        self._woken: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def configure(self, configuration: Configuration) -> None:
        """Take over a configuration.

        What waits for a receiver that is gone, or whose tenant it is no more, is given up.
        """
        with self._lock:
            self._configuration = configuration
            for event in self._woken.values():
                event.set()
        values = {"state": "given_up", "settled_at": self._now()}
        is_over = (MESSAGES.c.state == "waiting") & _is_for_nobody(configuration)
        with self._turns.writing() as connection:
            connection.execute(update(MESSAGES).where(is_over).values(values))
        self.wake(configuration.receivers)

    def wake(self, receivers: Iterable[str]) -> None:
        """Say that there is something new for receivers."""
        with self._lock:
            for name in () if self._stopping.is_set() else receivers:
                if name not in self._woken:
                    self._woken[name] = threading.Event()
                    thread = threading.Thread(
                        target=self._run, args=(name,), name=f"to {name}", daemon=True
                    )
                    self._threads.append(thread)
                    thread.start()
                self._woken[name].set()

    def _run(self, name: str) -> None:
        woken, delivery, known = self._woken[name], None, None
        while not self._stopping.is_set():
            receiver = self._configuration.receivers.get(name)
            if receiver != known or delivery is None:
                if delivery:
                    delivery.close()
                known = receiver
                delivery = receiver and Delivery(receiver, self._open, self._turns, self._now)
            wait = LOOK_EVERY
            if delivery:
                delivery.give_up = self._configuration.timing.give_up
                wait = self._stepped(delivery)
            if wait:
                woken.wait(wait.total_seconds())
                woken.clear()
        if delivery:
            delivery.close()

    def _stepped(self, delivery: Delivery) -> timedelta:
        try:
            return delivery.step()
        except SQLAlchemyError as error:
            log.error("the outbox cannot be read: %s", str(error).partition("\n")[0])
        except Exception:
            log.exception("a delivery to %s fails", delivery.receiver.name)
        return FAILED

    def stop(self) -> None:
        """End the threads; what was not delivered is at the next start."""
        self._stopping.set()
        for event in self._woken.values():
            event.set()
        for thread in self._threads:
            thread.join(timeout=15)
