"""The course of every drill: traffic, the fault, healing, the verdict."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from infra.drills.drill import Drill, Outcome, outcome
from infra.drills.ground import POLL_S, RATE, Ground
from infra.drills.lives import fates, lives
from infra.health import Health, health
from infra.stack import Stack, read_stack
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
    refuse_unwell(settings.home, stack, health(settings))
    if drill.needs_broker and stack and "kafka" not in stack.services:
        raise HeadwaterError(f"{drill.name} needs a broker of this stack: `headwater up`")
    return ground


def refuse_unwell(home: Path, stack: Stack | None, now: Health) -> None:
    """Raise unless a stack with streams is up and well; say what of it is not."""
    if stack is None or not now.is_up:
        raise HeadwaterError(
            f"a drill begins on a stack that is well, and in {home} none is up: `headwater up`"
        )
    if "streams" not in stack.services:
        raise HeadwaterError(
            f"a drill needs streams that always run, and of the stack in {home} none do:"
            " `headwater up` with HEADWATER_STREAMS=always_on"
        )
    if now.unwell:
        raise HeadwaterError(
            f"a drill begins on a stack that is well, and in {home} {', '.join(now.unwell)}:"
            " `headwater status` shows when all is, `headwater logs NAME` why it is not"
        )


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
        home = ground.settings.home
        before = lives(home)
        ground.say(drill.does)
        complaints = drill.strike(ground)
        ground.say("waits until all is well")
        heal_s = ground.healed_after(time.time(), drill.heal_within_s)
        died = fates(drill, before, lives(home, before.logged))
        complaints = [*complaints, *died, *ground.ended_fleets()]
    ground.say("compares every message with the ledger")
    verdict = ground.verdict()
    return outcome(drill, heal_s=heal_s, complaints=complaints, verdict=verdict, ground=ground)
