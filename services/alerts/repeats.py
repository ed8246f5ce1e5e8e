"""Records that repeat what an alert is: one step of its trail counts them, however many."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, bindparam, func, select, update

from services.alerts.life import Event
from services.alerts.tables import TRAIL
from services.alerts.writing import in_groups

FOLDED: frozenset[Event] = frozenset({"repeated", "late"})
Facts = Mapping[str, object]


def counted(facts: Facts, at: datetime) -> dict[str, object]:
    """Return the facts of the first of a run."""
    late = int(facts["event"] == "late")
    moment = at.isoformat()
    return {**facts, "count": 1, "late": late, "first": moment, "last": moment}


def is_run(facts: Facts) -> bool:
    """Say whether a step counts records that repeat."""
    return "count" in facts


def folded(before: Facts, run: Facts) -> dict[str, object]:
    """Return one run for two; of its records it tells the newest."""
    same = before["event"] == run["event"]
    sums = {name: cast(int, before[name]) + cast(int, run[name]) for name in ("count", "late")}
    event = run["event"] if same else "repeated"
    return {**run, **sums, "event": event, "first": before["first"]}


class Runs:
    """What one transaction takes of alerts, by its rows of the trail."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, object]] = {}
        self._first: dict[str, dict[str, object]] = {}

    def note(self, row: dict[str, object]) -> bool:
        """Note a `received` row; say whether it needs a row of its own."""
        alert_id, facts = cast(str, row["alert_id"]), _facts_of(row)
        if facts["event"] in FOLDED:
            facts = row["facts"] = counted(facts, cast(datetime, row["at"]))
        newest = self._newest.get(alert_id)
        if newest and is_run(facts) and is_run(_facts_of(newest)):
            newest["facts"] = folded(_facts_of(newest), facts)
            return False
        self._newest[alert_id] = row
        self._first.setdefault(alert_id, row)
        return True

    def stored(self, connection: Connection) -> list[dict[str, object]]:
        """Go on with runs that are stored; return the rows that need not be any more."""
        begun = {alert_id: row for alert_id, row in self._first.items() if is_run(_facts_of(row))}
        changed, spared = [], []
        for row_id, alert_id, facts in _newest_received(connection, begun):
            if is_run(facts):
                row = begun[alert_id]
                changed.append({"wanted": row_id, "said": folded(facts, _facts_of(row))})
                spared.append(row)
        if changed:
            this = TRAIL.c.id == bindparam("wanted")
            said = bindparam("said", type_=TRAIL.c.facts.type)
            connection.execute(update(TRAIL).where(this).values(facts=said), changed)
        return spared


def _facts_of(row: Mapping[str, object]) -> Facts:
    return cast(Facts, row["facts"])


def _newest_received(
    connection: Connection, alert_ids: Iterable[str]
) -> list[tuple[int, str, Facts]]:
    found: list[tuple[int, str, Facts]] = []
    for some in in_groups(alert_ids):
        mine = TRAIL.c.alert_id.in_(some) & (TRAIL.c.step == "received")
        newest = select(func.max(TRAIL.c.id)).where(mine).group_by(TRAIL.c.alert_id)
        query = select(TRAIL.c.id, TRAIL.c.alert_id, TRAIL.c.facts).where(TRAIL.c.id.in_(newest))
        found += [(row.id, row.alert_id, row.facts) for row in connection.execute(query)]
    return found
