"""The registry's changes, read from their beginning and followed into a directory."""

import sys
import traceback
from collections.abc import Sequence
from functools import partial

from gateway.directory import Directory
from gateway.feeds import Feed, Record
from telemetry.changes import ChangeError, decode_change
from telemetry.topics import REGISTRY_CHANGES


def registry_feed(bootstrap: str, directory: Directory, *, group: str) -> Feed:
    """Begin to read; `caught_up` of the feed tells when the directory knows what there is."""

    changed = partial(take_up, directory, group)
    return Feed(bootstrap, REGISTRY_CHANGES.name, changed, group=group, begin="beginning")


def take_up(directory: Directory, group: str, records: Sequence[Record]) -> None:
    """Apply changes; one that fails keeps none behind it, a revocation say, from being heard."""
    for record in records:
        try:
            change = decode_change(record.key, record.value, record.headers.items())
        except ChangeError as error:
            print(f"{group}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            continue
        if change is None:
            continue
        try:
            directory.apply(change)
        except Exception:
            print(f"{group}: {change.key}", traceback.format_exc(), file=sys.stderr, flush=True)  # noqa: T201
