"""Which alerts are meant: fields against values, where `*` and `?` stand for anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from telemetry.alerts import Severity

FIELDS = ("tenant", "rule", "severity", "device", "product", "zone", "customer", "metric")
GROUP_FIELDS = (*FIELDS, "alert")
"""`alert` groups each alert by itself."""


class Subject(Protocol):
    """What an alert is about."""

    @property
    def alert_id(self) -> str:
        """The alert."""

    @property
    def tenant(self) -> str:
        """Whose it is."""

    @property
    def rule(self) -> str:
        """What was broken."""

    @property
    def severity(self) -> Severity:
        """How grave it is now."""

    @property
    def device(self) -> str | None:
        """The device's full name."""

    @property
    def product(self) -> str | None:
        """Its product."""

    @property
    def zone(self) -> str | None:
        """Its zone."""

    @property
    def customer(self) -> str | None:
        """Its customer."""

    @property
    def metric(self) -> str | None:
        """What was measured."""


@dataclass(frozen=True, slots=True)
class Match:
    """Every field must fit one of its values, and none that begins with `!`."""

    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def fits(self, subject: Subject) -> bool:
        """Say whether an alert is meant."""
        return all(_fits(values, label(subject, name)) for name, values in self.fields)

    def as_json(self) -> dict[str, list[str]]:
        """Return the form that people write."""
        return {name: list(values) for name, values in self.fields}


EVERYTHING = Match()


def match_of(written: Mapping[str, str | Sequence[str]]) -> Match:
    """Return the match that people wrote; each field has one value or several."""
    return Match(
        tuple(
            (name, (values,) if isinstance(values, str) else tuple(values))
            for name, values in written.items()
        )
    )


def label(subject: Subject, name: str) -> str:
    """Return an alert's field as text, '' where it has none."""
    value = getattr(subject, "alert_id" if name == "alert" else name)
    return str(value or "")


def _fits(values: tuple[str, ...], told: str) -> bool:
    refused = [value[1:] for value in values if value.startswith("!")]
    wanted = [value for value in values if not value.startswith("!")]
    if any(fnmatchcase(told, pattern) for pattern in refused):
        return False
    return not wanted or any(fnmatchcase(told, pattern) for pattern in wanted)
