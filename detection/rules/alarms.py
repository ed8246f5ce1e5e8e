"""Subjects that were looked at, judged by their rule: alarms that begin and are over."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from detection.keyed import blocks
from detection.memory import Bytes
from detection.rules.batches import Found, named
from detection.rules.judging import STATE_BYTES, broken, cleared, judge, lasting_since
from detection.rules.looks import Limits, Look
from detection.rules.readings import Readings, Rows, Source, Times
from detection.rules.scores import score
from telemetry.rules.rule import VersionedRule

SourceOf = Callable[[int], Source]


class Judged(NamedTuple):
    """Subjects of which each is to be judged: whose, when, and where in the batch."""

    rows: Rows
    times: Times
    cells: Rows
    look: Look


def alarms(
    kept: VersionedRule, limits: Limits, judged: Judged, states: Bytes, source_of: SourceOf
) -> list[Found]:
    """Return where alarms begin and end; `states` has a row of `STATE_BYTES` or more a series.

    `source_of` says of a cell of the batch who spoke there.
    """
    rule, look = kept.rule, judged.look
    breaks, bound = broken(look, limits, rule.least_deviation)
    clears = cleared(look, limits, rule.hysteresis) & ~breaks
    found: list[Found] = []
    for series, places in blocks(judged.rows):
        mine, times = states[series], judged.times[places]
        since = lasting_since(mine)
        events = judge(breaks[places], clears[places], times, rule.persistence, mine)
        states[series] = mine
        for row, column in np.argwhere(events).tolist():
            begun = np.flatnonzero(events[row, : column + 1] == 1)
            began = int(times[row, begun[-1]]) if len(begun) else int(since[row])
            is_firing = events[row, column] == 1
            place = int(places[row, column])
            found.append(_found(kept, judged, place, float(bound[place]), is_firing, began,
                                source_of(int(judged.cells[place]))))  # fmt: skip
    return found


def gone_elsewhere(
    kept: VersionedRule, states: Bytes, rows: Rows, cells: Rows, readings: Readings
) -> list[Found]:
    """Say that alarms are over whose devices speak from where the rule does not watch.

    `rows` are theirs in `states`, `cells` where in the readings that is seen.
    """
    where = dict(zip(reversed(rows.tolist()), reversed(cells.tolist()), strict=True))
    lasting = np.array(list(where), np.intp)
    since = lasting_since(states[lasting])
    found = [
        Found(kept, readings.source(where[row]), named(kept.rule.metrics), "resolved",
              max(int(readings.times[where[row]]), began), where[row], since=began)
        for row, began in zip(lasting.tolist(), since.tolist(), strict=True)
        if began >= 0
    ]  # fmt: skip
    states[lasting[since >= 0], :STATE_BYTES] = 0
    return found


def _found(  # noqa: PLR0913 - each is a part of what was found
    kept: VersionedRule,
    judged: Judged,
    place: int,
    bound: float,
    is_firing: bool,
    began: int,
    source: Source,
) -> Found:
    look = judged.look
    subject, centre, scale, baseline = (float(each[place]) for each in look[:4])
    state: Literal["firing", "resolved"] = "firing" if is_firing else "resolved"
    return Found(
        kept=kept,
        source=source,
        metric=named(kept.rule.metrics),
        state=state,
        time=int(judged.times[place]),
        cell=int(judged.cells[place]),
        value=subject,
        bound=bound,
        baseline=baseline,
        score=score(kept.rule.check, subject, bound, centre, scale),
        since=began,
    )
