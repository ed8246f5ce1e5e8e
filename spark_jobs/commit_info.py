"""What a commit says of itself: once-only transactions, and words of ours beside Delta's fields."""

from collections.abc import Mapping
from dataclasses import dataclass

from deltalake import CommitProperties, Transaction

TAKEN = frozenset(
    {
        *("version", "timestamp", "inCommitTimestamp", "userId", "userName", "operation"),
        *("operationParameters", "job", "notebook", "clusterId", "readVersion", "isolationLevel"),
        *("isBlindAppend", "operationMetrics", "userMetadata", "tags", "engineInfo", "txnId"),
    }
)
"""Fields of Delta's own: Spark and Trino cannot read a commit in which one holds another type."""


@dataclass(frozen=True, slots=True)
class Txn:
    """Makes a write idempotent: an application commits each version to a table at most once."""

    app_id: str
    version: int


def own_words(info: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return what a commit is to say; raise if that takes a field of Delta's."""
    if taken := TAKEN & set(info or {}):
        raise ValueError(f"{', '.join(sorted(taken))}: Delta's own fields of a commit")
    return dict(info) if info else None


def properties(
    txn: Txn | None, info: Mapping[str, str] | None, *, retries: int = 3
) -> CommitProperties:
    """Return what delta-rs is to put into a commit."""
    return CommitProperties(
        custom_metadata=own_words(info),
        max_commit_retries=retries,
        app_transactions=[Transaction(txn.app_id, txn.version)] if txn else None,
    )
