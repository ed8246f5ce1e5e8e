"""Kills at every point and at random moments, under a fleet with a ledger, round by round.

`make test-faults-full KILLS=200`; a run that was cut off goes on when its seed is given again.
"""

import argparse
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.stack import Stack, free_port_base
from tests.faults.ending import interrupted_once
from tests.faults.plan import Kill, Round, plan
from tests.faults.points import NAMES, RANDOM
from tests.faults.record import Line, Record, summary
from tests.faults.siege import Siege, Told

KEPT_ROUNDS = 6
"""Rounds on one stack: a start costs a minute, and a lake that grows slows the verdicts."""
TEN_TO_ONE = 20
APART_S = 30.0
NOT_ALL = 3
"""Exit code where all that was held was kept, and the time was over before the last round."""


class Teller(Told):
    """Writes a line a kill and a round to the record, and says it on stderr."""

    def __init__(self, record: Record, planned: int) -> None:
        self._record = record
        self._planned = planned

    def kill(self, one: Round, kill: Kill, struck: Line) -> None:
        """Write one kill down."""
        figures = {"round": one.number, "kill": kill.number, "point": kill.point, **struck}
        self._record.write("kill", **figures)
        waited = f"waited {struck['waited_s']} s, " if "waited_s" in struck else ""
        file = struck.get("file", "")
        heal = struck["heal_s"]
        healed = "the next one follows" if heal is None else f"healed after {heal} s"
        say(f"  killed at {kill.point}: {waited}{healed} {file}")

    def round(self, one: Round, found: Line) -> None:
        """Write one verdict down."""
        self._record.write("round", round=one.number, points=one.points, **found)
        state = f"kept, in {found['took_s']} s" if found["ok"] else f"BROKEN {found}"
        say(f"round {one.number + 1} of {self._planned}: {state}")


def say(text: str) -> None:
    """Tell on stderr, with the time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


@contextmanager
def stack_of_its_own() -> Iterator[Stack]:
    """Start Kafka and the streams in a new home, and remove it unless something broke."""
    home = Path(tempfile.mkdtemp(prefix="headwater-faults-"))
    with taken_down(Stack(home, free_port_base())) as stack:
        stack.run("up", "--only", "kafka,streams", "--timeout", "800", timeout_s=900)
        yield stack


@contextmanager
def taken_down(stack: Stack) -> Iterator[Stack]:
    """Take a stack down at the end, and remove its home unless something broke."""
    try:
        yield stack
    except KeyboardInterrupt:
        stack.run("down", check=False)
        shutil.rmtree(stack.home)
        raise
    except BaseException:
        stack.run("down", check=False)
        say(f"left for a look: {stack.home}")
        raise
    stack.run("down")
    shutil.rmtree(stack.home)


class BrokenError(Exception):
    """A round in which a promise was broken: its stack is left as it is."""


def besiege(
    rounds: list[Round], given: argparse.Namespace, seed: int, teller: Teller, until: float
) -> bool:
    """Hold rounds on stacks, a few each, until the time is over; tell whether all held was kept."""
    is_kept, waiting = True, list(rounds)
    while waiting and time.monotonic() < until:
        try:
            with stack_of_its_own() as stack:
                siege = Siege(stack, given.rate, seed, hurries=given.hurry)
                for one in waiting[:KEPT_ROUNDS]:
                    if time.monotonic() >= until:
                        break
                    waiting.remove(one)
                    hold(siege, one, teller)
        except BrokenError:
            is_kept = False
    return is_kept


def hold(siege: Siege, one: Round, teller: Teller) -> None:
    """Hold one round; an error of it is a broken round as well."""
    try:
        is_kept = siege.hold(one, teller)
    except Exception as error:
        teller.round(one, {"ok": False, "said": f"{type(error).__name__}: {error}"[:500]})
        is_kept = False
    if not is_kept:
        raise BrokenError(f"round {one.number}")


def main() -> int:
    """Parse, besiege, sum up."""
    interrupted_once()
    given = options()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    each = max(1, given.kills // TEN_TO_ONE) if given.each is None else given.each
    points = given.only or (*NAMES, RANDOM)
    rounds = plan(seed, each=each, at_random=given.kills, points=points)
    shape = " ".join([f"{given.kills}+{each}", *sorted(given.only or ())])
    record = Record(given.out, seed, shape)
    if given.at_once > 1:
        return side_by_side(given, seed, record, len(rounds))
    mine = [one for one in rounds if one.number % given.of == given.part]
    left = [one for one in mine if one.number not in record.done()]
    say(f"seed {seed}: {len(left)} rounds to go, {len(mine) - len(left)} done before")
    until = time.monotonic() + given.within * 60
    try:
        is_kept = besiege(left, given, seed, Teller(record, len(rounds)), until)
    except KeyboardInterrupt:
        is_kept = False
    if given.of == 1:
        sum_up(given, seed, record, len(rounds))
    if not is_kept:
        return 1
    return NOT_ALL if {one.number for one in mine} - record.done() else 0


def side_by_side(given: argparse.Namespace, seed: int, record: Record, planned: int) -> int:
    """Share the rounds out to processes: a stack that starts again leaves the other its cores."""
    each = [] if given.each is None else ["--each", str(given.each)]
    only = [] if given.only is None else ["--only", *given.only]
    words = ["--kills", given.kills, "--rate", given.rate, "--within", given.within]
    words += ["--seed", seed, "--out", given.out, *each, *only]
    words += ["--hurry"] * given.hurry + ["--of", given.at_once]
    command = [sys.executable, "-m", "tests.faults.full", *map(str, words)]
    parts = [[*command, "--part", str(part)] for part in range(given.at_once)]
    # Else both would find the same ports free.
    codes = run_all(parts, apart_s=APART_S)
    sum_up(given, seed, record, planned)
    return together(codes)


def run_all(commands: Sequence[Sequence[str]], *, apart_s: float) -> list[int]:
    """Run commands side by side and return their exit codes; an interrupt ends all of them."""
    parts: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            time.sleep(apart_s * bool(parts))
            parts.append(subprocess.Popen(command))
        return [part.wait() for part in parts]
    except KeyboardInterrupt:
        say("stopping: stacks are taken down first")
        for part in parts:
            part.terminate()
        return [part.wait() or 1 for part in parts]


def together(codes: Sequence[int]) -> int:
    """Return the exit code of processes side by side; that of one that was killed is below 0."""
    return 1 if {*codes} - {0, NOT_ALL} else max(codes)


def sum_up(given: argparse.Namespace, seed: int, record: Record, planned: int) -> None:
    """Print the figures of a run, and how it goes on if it was cut off."""
    figures = summary(record.lines(), planned=planned)
    sys.stdout.write(json.dumps({"seed": seed, **figures}, indent=2) + "\n")
    if len(record.done()) < planned:
        each = "" if given.each is None else f" --each {given.each}"
        only = "" if given.only is None else " ".join([" --only", *given.only])
        say(f"not all is done and kept: --seed {seed} --kills {given.kills}{each}{only} goes on")


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="kills at random moments")
    parser.add_argument("--each", type=int, help="kills at each point; default: kills / 20")
    parser.add_argument("--seed", type=int, help="draws the kills; default: drawn, and told")
    parser.add_argument("--only", nargs="*", choices=(*NAMES, RANDOM), help="these points alone")
    parser.add_argument("--rate", type=int, default=200, help="messages a second")
    parser.add_argument(
        "--within",
        type=float,
        default=1e6,
        help="start no round after minutes: what is left is no failure",
    )
    parser.add_argument(
        "--hurry", action="store_true", help="kill again before all is well, but once a round"
    )
    parser.add_argument("--at-once", type=int, default=1, help="so many stacks side by side")
    parser.add_argument("--of", type=int, default=1, help="how many processes share the rounds")
    parser.add_argument("--part", type=int, default=0, help="this one's share, from 0 on")
    parser.add_argument("--out", type=Path, default=Path("build/faults.ndjson"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
