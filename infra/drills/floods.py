"""Floods: what devices send when they misbehave all at once."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from infra.drills.freshness import Delay, behind, delays_s, p95
from infra.drills.ground import Fleet, Ground, Verdict
from infra.processes import tree_pss_mb

FLOOD_S = 30.0
MOST_GROWTH_MB = 200
HOT = "drill.drill-00000"
MOST_DELAY_S = 5.0
LANDED_WITHIN_S = 60.0
"""How long what arrived beside the hot device is waited for: what has not landed has no delay."""
STEP_S = 2.0
MOST_SLOWER = 1.5
LEAST_SHARE = 0.4
"""Of the messages, that the hot device must have sent to be one."""


def flood(_ground: Ground) -> list[str]:
    """Let the fleet go on for a while: the fault is in what it sends."""
    time.sleep(FLOOD_S)
    return []


def has(figures: Sequence[str], _ground: Ground, verdict: Verdict) -> list[str]:
    """Hold that the flood has come at all."""
    missing = [figure for figure in figures if not verdict.get(figure)]
    return [f"the flood left nothing among {figure}" for figure in missing]


def watched_flood(ground: Ground) -> list[str]:
    """Let the fleet go on; note the memory of the streams before."""
    pid = ground.pid("streams")
    time.sleep(FLOOD_S / 3)
    before = tree_pss_mb(pid)
    time.sleep(FLOOD_S)
    return held_memory(before, tree_pss_mb(pid))


def held_memory(before: int | None, after: int | None) -> list[str]:
    """Compare the streams' memory in MiB; None, or nothing, is what could not be measured."""
    if not before or not after:
        return ["the memory of the streams could not be measured"]
    grown = after - before
    return [f"the streams grew by {grown} MiB"] if grown > MOST_GROWTH_MB else []


def heat(ground: Ground) -> list[str]:
    """Let one device send as much as all others together, and hold their p95 against before."""
    began = datetime.now(UTC)
    time.sleep(FLOOD_S)
    heated = datetime.now(UTC)
    ground.start_fleet(Fleet("drill-clean", devices=1))
    time.sleep(FLOOD_S)
    ended = datetime.now(UTC)
    until = time.monotonic() + LANDED_WITHIN_S
    while True:
        time.sleep(STEP_S)
        delays = delays_s(ground.settings.lake_root, since=began, hot=HOT)
        if (delays and not behind(delays, ended)) or time.monotonic() > until:
            return held_beside(delays, heated, ended)


def held_beside(delays: list[Delay], heated: datetime, ended: datetime) -> list[str]:
    """Compare the others' delays from the heat to its end with those before, once all landed."""
    others = [delay for delay in delays if not delay.is_hot]
    if late := behind(others, ended):
        return [f"what the others sent beside the hot device has not landed: partitions {late}"]
    warm = heated + timedelta(seconds=MOST_DELAY_S)
    before = [delay.seconds for delay in others if delay.at < heated]
    beside = [delay.seconds for delay in others if warm <= delay.at < ended]
    hot = [delay for delay in delays if delay.is_hot and warm <= delay.at < ended]
    share = len(hot) / max(1, len(hot) + len(beside))
    # One of which not all has landed was hot enough.
    if share < LEAST_SHARE and not behind(hot, ended - timedelta(seconds=MOST_DELAY_S)):
        return [f"the hot device made {100 * share:.0f} % of the traffic: it was not hot"]
    return held_p95(before, beside)


def held_p95(before: list[float], beside: list[float]) -> list[str]:
    """Compare the others' seconds from arrival to silver before and beside the hot device."""
    if not before or not beside:
        return ["the others' messages did not land"]
    was, rose = p95(before), p95(beside)
    if rose <= max(MOST_DELAY_S, MOST_SLOWER * was):
        return []
    return [f"the others' p95 rose from {was:.1f} to {rose:.1f} s"]
