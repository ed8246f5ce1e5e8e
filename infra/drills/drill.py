"""What a drill is, and how it ended."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from infra.drills.ground import Fleet, Ground, Verdict

EVERY_FAULT = Fleet("drill")
BROKEN = ("lost", "duplicate", "phantom", "altered", "misplaced")


def nothing_more(_ground: Ground, _verdict: Verdict) -> list[str]:
    """Ask for no more than the invariants."""
    return []


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault: what it does, under which fleet, and what must hold beside the invariants."""

    name: str
    line: str
    """For the list: what is rehearsed."""
    does: str
    """For the one who runs it: what happens to the stack."""
    strike: Callable[[Ground], list[str]]
    """Makes the fault and ends it; returns what went wrong with that."""
    check: Callable[[Ground, Verdict], list[str]] = nothing_more
    fleet: Fleet = EVERY_FAULT
    heal_within_s: float = 300.0
    needs_broker: bool = False
    stops: tuple[str, ...] = ()
    """Services that it stops for a while, and starts again."""
    ends: tuple[str, ...] = ()
    """Services whose processes it ends; the other writers are to live through it."""
    may_fail: bool = False
    """Whether queries may fail meanwhile, and go on by themselves."""
    is_apart: bool = False
    """Whether it makes a stack of its own, since the running one might come to harm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a drill ended."""

    drill: str
    passed: bool
    heal_s: float | None
    heal_within_s: float
    complaints: list[str]
    verdict: Verdict
    ledgers: list[str]

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


def outcome(
    drill: Drill, *, heal_s: float | None, complaints: list[str], verdict: Verdict, ground: Ground
) -> Outcome:
    """Judge: healed in time, every invariant held, and nothing else wrong."""
    found = [*complaints]
    if heal_s is None:
        found.append(f"not healed within {drill.heal_within_s:.0f} s")
    if "said" in verdict:
        found.append(f"the tables were not held against the ledger: {verdict['said']}")
    else:
        found += [*_unkept(verdict, ground), *drill.check(ground, verdict)]
    ledgers = [str(ledger) for ledger in ground.ledgers]
    return Outcome(
        drill.name, not found, heal_s, drill.heal_within_s, found, dict(verdict), ledgers
    )


def _unkept(verdict: Verdict, ground: Ground) -> list[str]:
    """Return what of the promises is broken, or that there was nothing to hold them to."""
    if not verdict.get("ok"):
        broken = {name: count for name in BROKEN if (count := verdict.get(name))}
        return [f"a promise is broken: {broken or verdict.get('gold') or verdict}"]
    if not verdict.get("acked"):
        return [f"no message of the drill was acknowledged: see {ground.folder / 'fleet.log'}"]
    return []
