"""What of a table a stream over it has not read."""

from collections.abc import Mapping

from spark_jobs.gold_state import Position
from spark_jobs.lake import Lake
from spark_jobs.table_files import is_append
from telemetry.tables import Table


def unread_rows(lake: Lake, table: Table, position: Position) -> int:
    """Return the rows that were appended behind a position."""
    handle = lake.table(table)
    versions = handle.version() - position.version + 1
    if versions <= 0:
        return 0
    return sum(_appended(commit) for commit in handle.history(versions))


def read_until(lake: Lake, table: Table, position: Position) -> int:
    """Return the version before which all that was appended is read: the table's next, if all."""
    handle = lake.table(table)
    following = handle.version() + 1
    if following <= position.version:
        return following
    commits = handle.history(following - position.version)
    unread = [int(str(commit["version"])) for commit in commits if _appended(commit)]
    return min(unread, default=following)


def _appended(commit: Mapping[str, object]) -> int:
    """Return the rows that a commit of landing appended."""
    if not is_append(commit):
        return 0
    if "rows" in commit:
        return int(str(commit["rows"]))
    # A commit of an earlier release.
    metrics = commit.get("operationMetrics")
    return int(metrics.get("num_added_rows", 0)) if isinstance(metrics, Mapping) else 0
