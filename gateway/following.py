"""The registry's changes, read from their beginning and followed into a directory."""

import sys

from gateway.directory import Directory
from gateway.feeds import Feed, Record
from telemetry.changes import ChangeError, decode_change
from telemetry.topics import REGISTRY_CHANGES


def registry_feed(bootstrap: str, directory: Directory, *, group: str) -> Feed:
    """Begin to read; `caught_up` of the feed tells when the directory knows what there is."""

    def changed(records: list[Record]) -> None:
        for record in records:
            try:
                change = decode_change(record.key, record.value, record.headers.items())
            except ChangeError as error:
                print(f"{group}: {error}", file=sys.stderr, flush=True)  # noqa: T201
                continue
            if change is not None:
                directory.apply(change)

    return Feed(bootstrap, REGISTRY_CHANGES.name, changed, group=group, begin="beginning")
