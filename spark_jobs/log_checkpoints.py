"""Checkpoints of a table's log, made while its writer goes on.

A checkpoint lists every live file: 100 ms and more of a commit that waits for it. Readers need none
of a certain version, so it may come a few versions late, or not at all: then the next one is made.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

log = logging.getLogger(__name__)


class LogCheckpoints:
    """Makes one after the other, on a thread of its own; a process ends after its last one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-checkpoints")

    def make(self, uri: str, version: int) -> None:
        """Have the checkpoint of a table's version made, without waiting for it."""
        # A process that is ending takes on no more work.
        with suppress(RuntimeError):
            self._thread.submit(_make, uri, version)


def _make(uri: str, version: int) -> None:
    try:
        DeltaTable(uri, version=version).create_checkpoint()
    except (DeltaError, OSError) as error:
        log.warning("%s has no checkpoint of version %d: %s", uri, version, error)
