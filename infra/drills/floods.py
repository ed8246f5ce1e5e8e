"""Floods: what devices send when they misbehave all at once."""

import time
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


def flood(_ground: Ground) -> list[str]:
    """Let the fleet go on for a while: the fault is in what it sends."""
    time.sleep(FLOOD_S)
    return []


def has(figure: str, ground: Ground, verdict: Verdict) -> list[str]:
    """Hold that the flood has come at all."""
    return [] if verdict.get(figure) else [f"the flood left nothing among {figure}"]


def watched_flood(ground: Ground) -> list[str]:
    """Let the fleet go on; note the memory of the streams before."""
    pid = ground.pid("streams")
    time.sleep(FLOOD_S / 3)
    before = tree_pss_mb(pid) or 0
    time.sleep(FLOOD_S)
    grown = (tree_pss_mb(pid) or 0) - before
    if ground.pid("streams") != pid:
        return ["the stream application died of it"]
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
        delays = delays_s(ground.settings.lake_root, since=began, without=HOT)
        if (delays and not behind(delays, ended)) or time.monotonic() > until:
            return held_beside(delays, heated, ended)


def held_beside(delays: list[Delay], heated: datetime, ended: datetime) -> list[str]:
    """Compare the others' delays from the heat to its end with those before, once all landed."""
    if late := behind(delays, ended):
        return [f"what the others sent beside the hot device has not landed: partitions {late}"]
    warm = heated + timedelta(seconds=MOST_DELAY_S)
    before = [delay.seconds for delay in delays if delay.at < heated]
    return held_p95(before, [delay.seconds for delay in delays if warm <= delay.at < ended])


def held_p95(before: list[float], beside: list[float]) -> list[str]:
    """Compare the others' seconds from arrival to silver before and beside the hot device."""
    if not before or not beside:
        return ["the others' messages did not land"]
    was, rose = p95(before), p95(beside)
    if rose <= max(MOST_DELAY_S, MOST_SLOWER * was):
        return []
    return [f"the others' p95 rose from {was:.1f} to {rose:.1f} s"]


def clock_moved_nothing(ground: Ground, verdict: Verdict) -> list[str]:
    """Hold that no device's clock has moved the watermark ahead of the time."""
    marks = ground.progress("gold").get("watermarks")
    mark = marks.get("drill") if isinstance(marks, dict) else None
    if mark is None:
        return ["gold tells no watermark of the drill's product"]
    if datetime.fromisoformat(str(mark)) > datetime.now(UTC):
        return [f"a device's clock moved the watermark to {mark}"]
    return [] if verdict.get("late") else ["no clock was behind"]
