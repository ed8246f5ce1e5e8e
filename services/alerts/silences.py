"""Silences: alerts that somebody does not want told, for a while and with a reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.alerts.matching import Match, Subject


@dataclass(frozen=True, slots=True)
class Silence:
    """Who silences what in one tenant, from when until when."""

    silence_id: str
    tenant: str
    match: Match
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime

    def is_in_force(self, now: datetime) -> bool:
        """Say whether it holds now; its end is outside."""
        return self.starts_at <= now < self.ends_at

    def fits(self, subject: Subject) -> bool:
        """Say whether it is about an alert."""
        return self.tenant == subject.tenant and self.match.fits(subject)


def silence_of(silences: Iterable[Silence], subject: Subject, now: datetime) -> Silence | None:
    """Return the silence that keeps an alert from being told: the one that ends last."""
    found = [each for each in silences if each.is_in_force(now) and each.fits(subject)]
    return max(found, key=lambda each: (each.ends_at, each.silence_id), default=None)
