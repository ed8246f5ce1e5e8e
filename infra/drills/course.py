"""The course of every drill: traffic, the fault, healing, the verdict."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from infra.drills.drill import Drill, Outcome, outcome
from infra.drills.ground import POLL_S, RATE, Ground
from infra.health import health
from infra.stack import read_stack
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

WELL_WITHIN_S = 120.0


def ground_of(
    settings: Settings, drill: Drill, say: Callable[[str], None], *, rate: int = RATE
) -> Ground:
    """Return the running stack; refuse unless it is well and has what the drill needs."""
    stack = read_stack(settings.home)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    mode = stack.mode if stack else "full"
    folder = settings.home / "drills" / f"{drill.name}-{stamp}"
    ground = Ground(settings, mode, folder, say, rate=rate)
    if drill.is_apart:
        return ground
    if stack is None or "streams" not in stack.services or not health(settings).is_healthy:
        raise HeadwaterError(
            f"a drill begins on a stack that is well, and in {settings.home} none is:"
            " `headwater up`, then `headwater status`"
        )
    if drill.needs_broker and "kafka" not in stack.services:
        raise HeadwaterError(f"{drill.name} needs a broker of this stack: `headwater up`")
    return ground


def wait_until_well(settings: Settings) -> None:
    """Wait a while for a stack whose fault was just undone; who goes on looks by himself."""
    until = time.monotonic() + WELL_WITHIN_S
    while time.monotonic() < until:
        now = health(settings)
        if now.is_healthy or not now.is_up:
            return
        time.sleep(POLL_S)


def hold(drill: Drill, ground: Ground) -> Outcome:
    """Hold a drill and judge it."""
    with ground.fleet(drill.fleet):
        ground.say("waits until the drill's fleet lands")
        ground.wait_for_traffic()
        ground.say(drill.does)
        complaints = drill.strike(ground)
        ground.say("waits until all is well")
        heal_s = ground.healed_after(time.time(), drill.heal_within_s)
        complaints = [*complaints, *ground.ended_fleets()]
    ground.say("compares every message with the ledger")
    verdict = ground.verdict()
    return outcome(drill, heal_s=heal_s, complaints=complaints, verdict=verdict, ground=ground)
