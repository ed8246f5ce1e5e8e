"""What a commit of landing costs as its table's log and files grow: CPU of one append of few rows.

`make bench BENCH=log_entries OUT=build/log_entries.json`

Each length is measured as delta-rs does it, which looks for old entries after each commit, beside
ours, each in a table of its own. A checkpoint is where one that was written to would have one.
"""

import resource
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Transaction

from benchmarks.report import Figures, count, parser, report
from spark_jobs import column_files
from spark_jobs.commit_info import Txn
from spark_jobs.lake import Lake
from spark_jobs.schema import delta_schema
from telemetry.tables import READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

ROWS = silver(fleet(seed=1, messages=5), READINGS)
WARM = 3


class Writer:
    """Appends to silver, in either way, and makes its log longer."""

    def __init__(self, root: str) -> None:
        self._lake = Lake(root)
        self._lake.create(READINGS)
        self._log = Path(self._lake.uri(READINGS)) / "_delta_log"
        self._number = 0

    def grow(self, entries: int, files: int) -> None:
        """Have the log hold so many commits, the newest of them a checkpoint, and the table files.

        There are no such files but in the log, and nobody reads them.
        """
        self.ours()
        version = self._lake.table(READINGS).version()
        said = (self._log / f"{version:020d}.json").read_text().splitlines()
        info, add = (next(line for line in said if word in line) for word in ("Info", '{"add'))
        for number in range(version + 1, entries):
            more = [add.replace("/part-", f"/part-{number}-")] if number <= files else []
            entry = "\n".join([info, *more, ""])
            (self._log / f"{number:020d}.json").write_text(entry)
        DeltaTable(self._lake.uri(READINGS)).create_checkpoint()
        self._lake = Lake(self._lake.root)

    def ours(self) -> None:
        """Append as landing does."""
        self._number += 1
        self._lake.append(READINGS, ROWS, Txn("landing/1", self._number))

    def delta_rs(self) -> None:
        """Append the same, with all that delta-rs does at a commit."""
        self._number += 1
        handle = self._lake.table(READINGS)
        handle.transaction_version("landing/1")
        files = column_files.added(self._lake.uri(READINGS), READINGS, ROWS.to_arrow())
        said = CommitProperties(app_transactions=[Transaction("landing/1", self._number)])
        partition = [*READINGS.partition_by]
        schema = delta_schema(READINGS)
        handle.create_write_transaction(
            [*files], "append", schema, partition, commit_properties=said
        )

    def check(self, commits: int) -> None:
        """Raise if a reader anew does not find every append, the newest of them by its number."""
        handle = DeltaTable(self._lake.uri(READINGS))
        found = handle.version() + 1, handle.transaction_version("landing/1")
        assert found == (commits, self._number), f"{found} are not {commits}, {self._number}"


def run(lengths: list[int], files: int, times: int) -> Figures:
    """Measure each length, both ways in turn."""
    figures: dict[str, object] = {}
    for length in lengths:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = (Writer(f"{folder}/{way}") for way in ("ours", "delta_rs"))
            for writer in (ours, theirs):
                writer.grow(length, files)
            spent: dict[str, list[float]] = {"ours": [], "delta_rs": []}
            for number in range(times + WARM):
                for way, append in (("ours", ours.ours), ("delta_rs", theirs.delta_rs)):
                    cpu_ms = _cpu_ms(append)
                    if number >= WARM:
                        spent[way].append(cpu_ms)
            for writer in (ours, theirs):
                writer.check(length + times + WARM)
        for way, found in spent.items():
            # A checkpoint, which comes with one in fifty, counts by its share.
            figures[f"{way}_{length}_entries_cpu_ms"] = statistics.mean(found)
    return figures


def _cpu_ms(work: Callable[[], None]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    lengths = [100, 1_000, 4_000, 20_000, 86_400]
    options.add_argument("--entries", type=count, nargs="+", default=lengths, help="in the log")
    options.add_argument("--files", type=int, default=1_000, help="of the table, at most")
    options.add_argument("--times", type=count, default=100, help="appends of each way and length")
    given = options.parse_args()
    report("log_entries", run(given.entries, given.files, given.times), given.out)


if __name__ == "__main__":
    main()
