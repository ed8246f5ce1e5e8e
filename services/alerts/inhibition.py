"""Inhibition: an open alert that explains others keeps them from being told."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.alerts.configuration import Inhibition
from services.alerts.life import Life
from services.alerts.matching import Subject, label

Place = tuple[int, str, tuple[str, ...]]
"""Which rule, which tenant, and the values that must be equal."""


class Inhibitor(NamedTuple):
    """What holds an alert back."""

    rule: str
    alert_id: str


class Sources:
    """The open alerts that may hold back others, by what must be equal."""

    def __init__(self, rules: Sequence[Inhibition], lives: Iterable[Life] = ()) -> None:
        self._rules = tuple(rules)
        self._open: dict[Place, set[str]] = {}
        self._places: dict[str, list[Place]] = {}
        for life in lives:
            self.note(life)

    def note(self, life: Life) -> None:
        """Take over how an alert is now."""
        for place in self._places.pop(life.alert_id, []):
            self._open[place].discard(life.alert_id)
            if not self._open[place]:
                del self._open[place]
        if life.phase == "resolved":
            return
        fitting = [
            _place(number, rule, life)
            for number, rule in enumerate(self._rules)
            if rule.source.fits(life)
        ]
        for place in fitting:
            self._open.setdefault(place, set()).add(life.alert_id)
        if fitting:
            self._places[life.alert_id] = fitting

    def inhibitor(self, subject: Subject) -> Inhibitor | None:
        """Return what holds an alert back; none does so to itself, nor a source to its like."""
        for number, rule in enumerate(self._rules):
            if not rule.target.fits(subject) or rule.source.fits(subject):
                continue
            others = self._open.get(_place(number, rule, subject), set()) - {subject.alert_id}
            if others:
                return Inhibitor(rule.name, min(others))
        return None


def _place(number: int, rule: Inhibition, subject: Subject) -> Place:
    return number, subject.tenant, tuple(label(subject, name) for name in rule.equal)
