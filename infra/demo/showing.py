"""The demo's course: the tables fill, the questions are answered, and it goes on until its end."""

import time

from rich.console import Console
from rich.live import Live

from infra.demo.answers import show_answers
from infra.demo.beside import Beside
from infra.demo.figures import GOLD, Watch
from infra.demo.screen import screen
from telemetry.settings import Settings

SETTLE_S = 30
REFRESH_S = 2.0


class Showing:
    """Shows a stack on a terminal."""

    def __init__(self, settings: Settings, console: Console, watch: Watch, beside: Beside) -> None:
        self._settings = settings
        self._console = console
        self._watch = watch
        self._beside = beside
        self._started = time.monotonic()

    def run(self, for_s: float | None) -> None:
        """Show the flow; once it has settled, answer the questions; then go on until the end."""
        self._live(SETTLE_S)
        show_answers(self._settings, self._console)
        if self._beside.start_dashboards():
            self._console.print(
                "\nDashboards follow: `headwater status` says when, `headwater dashboards logins`"
                " with which password",
                highlight=False,
            )
        while for_s is None or time.monotonic() - self._started < for_s:
            self._live(for_s)
        self._await_dashboards()

    def _await_dashboards(self) -> None:
        """Let them come up before the demo ends, since what it started ends with it."""
        with self._console.status("Waiting for the dashboards, the last to come up"):
            failed = self._beside.await_dashboards()
        if failed:
            self._console.print(
                f"The dashboards did not come up, `headwater up` tries again: {failed}",
                highlight=False,
            )

    def _live(self, until_s: float | None) -> None:
        """Redraw until `until_s` after the start, gold has rows, and the rest is up."""
        with Live(console=self._console, auto_refresh=False) as live:
            while True:
                figures, is_starting = self._watch.look(), self._beside.is_starting()
                elapsed_s = time.monotonic() - self._started
                shown = screen(figures, elapsed_s=elapsed_s, starting=is_starting)
                live.update(shown, refresh=True)
                has_rows = any(figures.rows[name] for name in GOLD)
                if until_s is not None and elapsed_s >= until_s and has_rows and not is_starting:
                    return
                time.sleep(REFRESH_S)
