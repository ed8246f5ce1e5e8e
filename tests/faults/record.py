"""What a run leaves behind: a line a kill and a line a verdict, and their summary."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

BROKEN = ("lost", "duplicate", "phantom", "altered", "misplaced")
Line = dict[str, object]


@dataclass(frozen=True, slots=True)
class Record:
    """Lines of NDJSON, appended as things happen; runs of several seeds may share a file."""

    path: Path
    seed: int
    shape: str
    """How many kills were asked for: another number draws other kills from the same seed."""

    def write(self, kind: str, **figures: object) -> None:
        """Append one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {"e": kind, "seed": self.seed, "shape": self.shape, **figures}
        text = json.dumps(line) + "\n"
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n"):
            text = "\n" + text
        with self.path.open("a") as lines:
            lines.write(text)

    def lines(self) -> list[Line]:
        """Return this run's lines, whenever they were written."""
        if not self.path.exists():
            return []
        lines = [json.loads(text) for text in self.path.read_text().splitlines() if _is_whole(text)]
        return [line for line in lines if line["seed"] == self.seed and line["shape"] == self.shape]

    def done(self) -> set[int]:
        """Return the rounds that ended well."""
        return {
            number
            for line in self.lines()
            if line["e"] == "round" and line["ok"] and isinstance(number := line["round"], int)
        }


def _is_whole(text: str) -> bool:
    """Tell whether a line was written to its end, and not cut off with the run."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def summary(lines: list[Line], *, planned: int) -> Line:
    """Return the figures of a run: kills by point, the sums of the verdicts, the time to heal."""
    rounds = [line for line in lines if line["e"] == "round"]
    kills = [line for line in lines if line["e"] == "kill"]
    newest = {line["round"]: line for line in rounds}
    heals = sorted(heal for line in kills if isinstance(heal := line["heal_s"], int | float))
    well = {number for number, line in newest.items() if line["ok"]}
    return {
        "rounds": {"planned": planned, "ended well": len(well), "failed": len(newest) - len(well)},
        "kills": len(kills),
        "between two tables": sum(bool(line.get("cut")) for line in kills),
        "by point": dict(sorted(Counter(str(line["point"]) for line in kills).items())),
        "sent": sum(int(str(line.get("sent", 0))) for line in newest.values()),
        **{name: sum(int(str(line.get(name, 0))) for line in rounds) for name in BROKEN},
        "gold windows wrong": sum(int(str(line.get("gold_wrong", 0))) for line in rounds),
        "looks of the reader": sum(int(str(line.get("looks", 0))) for line in rounds),
        "seconds to heal, p50": heals[len(heals) // 2] if heals else None,
        "seconds to heal, longest": heals[-1] if heals else None,
    }
