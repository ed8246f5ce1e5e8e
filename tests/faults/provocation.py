"""What makes a batch touch a table that most batches leave alone."""

import threading
from pathlib import Path

from tests.end_to_end.stack import Stack

ALWAYS_FIRST = ("commit:dim.devices", "commit:ops.first_use")
"""Points where only what we provoke makes a file, so the first one is waited for."""
EVERY_S = 6.0


class Provocation:
    """Enrols devices or sends metrics that are new, again and again until it is told to end."""

    def __init__(self, stack: Stack, point: str, kill: int) -> None:
        self._stack = stack
        self._point = point
        self._kill = kill
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def ledger(self) -> Path:
        """The ledger of what is sent so."""
        return self._stack.home / f"provoked-{self._kill}.ndjson"

    def __enter__(self) -> "Provocation":
        if self._point in ALWAYS_FIRST:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._point in ALWAYS_FIRST:
            self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            name = f"new-{self._kill}-{number}"
            if self._point == "commit:dim.devices":
                self._stack.run("device", "add", name, check=False)
            self._send(name)
            number += 1
            self._ended.wait(EVERY_S)

    def _send(self, name: str) -> None:
        """Send one message with a metric that was never seen."""
        file = self._stack.home / "provoked.ndjson"
        file.write_text(f'{{"seq":1,"boot":"{name}","metrics":{{"{name}":1.5}}}}\n')
        options = ("--raw", "--device", "provoked", "--ledger", str(self.ledger))
        self._stack.run("publish", str(file), *options, check=False)
