"""Alerts and matches that Hypothesis draws, and what a match means."""

from fnmatch import fnmatchcase

from hypothesis import strategies as st

from services.alerts.life import (
    Life,
)
from services.alerts.matching import Match, match_of
from telemetry.alerts import SEVERITIES
from tests.services.alert_parts import life

severities = st.sampled_from(SEVERITIES)


@st.composite
def some_lives(draw: st.DrawFn) -> Life:
    number = draw(st.integers(0, 5))
    return life(
        alert_id=f"{number:032x}",
        tenant=draw(st.sampled_from(["default", "other"])),
        rule=draw(st.sampled_from(["hot", "down", "stale"])),
        severity=draw(severities),
        zone=draw(st.none() | st.sampled_from(["hall", "yard"])),
        phase=draw(st.sampled_from(["open", "acknowledged", "resolved"])),
    )


@st.composite
def matches(draw: st.DrawFn) -> Match:
    wanted = st.sampled_from(["hot", "down", "!hot", "*o*", "hall", "critical", "st?le"])
    fields = draw(st.dictionaries(st.sampled_from(["rule", "zone", "severity"]), wanted))
    return match_of(fields)


def fits(match: Match, one: Life) -> bool:
    for name, values in match.fields:
        told = getattr(one, name) or ""
        wanted = [value for value in values if not value.startswith("!")]
        if wanted and not any(fnmatchcase(told, value) for value in wanted):
            return False
        if any(value.startswith("!") and fnmatchcase(told, value[1:]) for value in values):
            return False
    return True
