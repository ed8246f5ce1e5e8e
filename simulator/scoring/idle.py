"""Waiting until the streams have nothing left to do."""

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from telemetry.errors import HeadwaterError

SETTLED_S = 3.0
POLL_S = 0.5
PASSED_S = 2.0
"""A stream that took up what was received so long after a moment has all from before it."""
RETIRED_S = 600.0
"""A stopped stream whose progress is so much older than another's will not start again."""
State = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and sleep, so that tests need none."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


def wait_until_taken_up(
    progress: Path,
    timeout_s: float,
    clock: Clock | None = None,
    needs: Iterable[str] = (),
    spools: Collection[Path] = (),
) -> bool:
    """Return once the streams have taken up what there was when this began; True if they are idle.

    Idle is every stream at no lag and without change for three seconds. While others still send
    they never are; then each must have come to messages that were received after this began, which
    may leave some from before behind in a partition of Kafka's.
    Only progress written after this began counts, since older files know nothing of newer messages.
    `needs` are streams that must have written theirs: those that are taken up one after another
    begin with nothing to wait for. `spools` are folders of what gateways hold back while Kafka is
    away: it was acknowledged, and no stream knows of it.
    """
    clock = clock or Clock()
    began = clock.now()
    settled_since: float | None = None
    before: dict[str, object] | None = None
    while True:
        states = read_progress(progress)
        figures = {name: state.get("rows") for name, state in states.items()}
        unfinished = _unfinished(states, began) or _absent(progress, needs) or _held_back(spools)
        if unfinished or figures != before:
            settled_since = None
        settled_since = settled_since if settled_since is not None else clock.now()
        if not unfinished and clock.now() - settled_since >= SETTLED_S:
            return True
        is_all_there = not _absent(progress, needs) and not _held_back(spools)
        if is_all_there and _have_passed(states, began):
            return False
        if clock.now() - began > timeout_s:
            raise HeadwaterError(
                f"not idle after {timeout_s:.0f} s: {unfinished or 'rows still arrive'};"
                " stop what still sends, see `headwater status`, or give it longer: --timeout"
            )
        before = figures
        clock.sleep(POLL_S)


def _have_passed(states: State, began: float) -> bool:
    """Say whether messages newer than `began` were taken up, and nothing older is waited for."""
    passed = {name for name, state in states.items() if _newest(state) > began + PASSED_S}
    rest = [state for name, state in states.items() if name not in passed]
    return bool(passed) and all(_reason(state, began) is None for state in rest)


def _newest(state: dict[str, object]) -> float:
    """Return when the newest message was received that a stream has taken up."""
    age = state.get("age_s")
    is_at_work = state.get("state") == "running"
    return _at(state) - float(age) if is_at_work and isinstance(age, int | float) else 0.0


def read_progress(progress: Path) -> State:
    """Return the newest progress of every stream by its name, without those given up."""
    states: State = {}
    for path in sorted(progress.glob("*.json")):
        try:
            states[path.stem] = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
    newest = max((_at(state) for state in states.values()), default=0.0)
    return {name: state for name, state in states.items() if not _is_retired(state, newest)}


def _at(state: dict[str, object]) -> float:
    at = state.get("at")
    return float(at) if isinstance(at, int | float) else 0.0


def _is_retired(state: dict[str, object], newest: float) -> bool:
    return state.get("state") == "stopped" and _at(state) < newest - RETIRED_S


def _unfinished(states: State, began: float) -> str:
    if not states:
        return "no stream has written its progress"
    return ", ".join(
        f"{name} {reason}"
        for name, state in states.items()
        if (reason := _reason(state, began)) is not None
    )


def _absent(progress: Path, needs: Iterable[str]) -> str:
    absent = [name for name in needs if not (progress / f"{name}.json").exists()]
    return f"{', '.join(absent)} has not begun" if absent else ""


def _held_back(spools: Collection[Path]) -> str:
    files = sum(1 for folder in spools for _ in folder.glob("*.parquet"))
    return f"a gateway has {files} files of messages that Kafka has not taken" if files else ""


def _reason(state: dict[str, object], began: float) -> str | None:
    if state.get("state") == "failed":
        return f"failed ({state.get('error')})"
    if _at(state) <= began:
        return f"is {state.get('state')}, silent since this began"
    if not state.get("idle"):
        return f"is busy, {state.get('lag_messages')} messages behind"
    return f"is {state['lag_messages']} messages behind" if state.get("lag_messages") else None
