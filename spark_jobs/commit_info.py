"""What a commit says of itself in words of ours, beside the fields that Delta gives a meaning."""

from collections.abc import Mapping

TAKEN = frozenset(
    {
        *("version", "timestamp", "inCommitTimestamp", "userId", "userName", "operation"),
        *("operationParameters", "job", "notebook", "clusterId", "readVersion", "isolationLevel"),
        *("isBlindAppend", "operationMetrics", "userMetadata", "tags", "engineInfo", "txnId"),
    }
)
"""Fields of Delta's own: Spark and Trino cannot read a commit in which one holds another type."""


def own_words(info: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return what a commit is to say; raise if that takes a field of Delta's."""
    if taken := TAKEN & set(info or {}):
        raise ValueError(f"{', '.join(sorted(taken))}: Delta's own fields of a commit")
    return dict(info) if info else None
