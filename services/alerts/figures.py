"""Figures of the alerts service, as Prometheus reads them."""

from datetime import datetime, timedelta

from fastapi import Response
from sqlalchemy import func, select

from services.alerts.served import Served
from services.alerts.tables import ALERTS, MESSAGES, REFUSED

DAY = timedelta(days=1)
TEXT = "text/plain; version=0.0.4"
MEANINGS = {
    "open": "Alerts that are open, by severity",
    "messages_waiting": "Messages that wait for their receiver",
    "oldest_waiting_seconds": "Age of the oldest of them",
    "messages_of_a_day": "Messages of a day, by receiver and what became of them",
    "refused_of_a_day": "Records within a day that are no alerts",
    "configuration_refused": "Whether the newest configuration does not hold",
}
Labels = tuple[tuple[str, str], ...]


def show_metrics(served: Served) -> Response:
    """Return the figures; they need no key, as those of health."""
    figures = _counted(served)
    lines: list[str] = []
    for name, meaning in MEANINGS.items():
        lines += [
            f"# HELP headwater_alerts_{name} {meaning}.",
            f"# TYPE headwater_alerts_{name} gauge",
        ]
        lines += [
            f"headwater_alerts_{name}{_text(labels)} {value:g}"
            for (found, labels), value in sorted(figures.items())
            if found == name
        ]
    return Response("\n".join(lines) + "\n", media_type=TEXT)


def _counted(served: Served) -> dict[tuple[str, Labels], float]:
    now, number = served.engine.now(), func.count()
    waiting = MESSAGES.c.state == "waiting"
    by_severity = select(ALERTS.c.severity, number).where(ALERTS.c.phase == "open")
    by_state = select(MESSAGES.c.receiver, MESSAGES.c.state, number)
    decided = by_state.where(MESSAGES.c.settled_at > now - DAY)
    with served.engine.turns.reading() as connection:
        opened = connection.execute(by_severity.group_by(ALERTS.c.severity)).all()
        held = select(number, func.min(MESSAGES.c.created_at)).where(waiting)
        count, oldest = connection.execute(held).one()
        grouped = decided.group_by(MESSAGES.c.receiver, MESSAGES.c.state)
        settled = connection.execute(grouped).all()
        bad = select(number).select_from(REFUSED).where(REFUSED.c.at > now - DAY)
        refused = connection.execute(bad).scalar_one()
    return {
        **{("open", (("severity", severity),)): found for severity, found in opened},
        ("messages_waiting", ()): count,
        ("oldest_waiting_seconds", ()): _age_s(oldest, now),
        **{
            ("messages_of_a_day", (("receiver", receiver), ("state", state))): found
            for receiver, state, found in settled
        },
        ("refused_of_a_day", ()): refused,
        ("configuration_refused", ()): float(served.complaint is not None),
    }


def _age_s(oldest: datetime | None, now: datetime) -> float:
    return 0.0 if oldest is None else (now - oldest).total_seconds()


def _text(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
