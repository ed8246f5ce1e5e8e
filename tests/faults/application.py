"""The processes of a stack as the harness finds them: from outside, by what they inherit."""

import json
import time
from pathlib import Path

import psutil

MARK = "HEADWATER_STACK"
STREAMS = ("infra.gentle_stop",)
BROKER = ("kafka.Kafka",)


def pid_of(home: Path, words: tuple[str, ...], *, other_than: int | None = None) -> int | None:
    """Return the process of a home whose command holds all the words."""
    for process in psutil.process_iter():
        if process.pid == other_than:
            continue
        try:
            if set(words) <= set(process.cmdline()) and process.environ().get(MARK) == str(home):
                return process.pid
        except psutil.Error:
            continue
    return None


def landing_progress(home: Path) -> dict[str, object]:
    """Return the newest progress of landing; empty where there is none."""
    try:
        found: dict[str, object] = json.loads((home / "progress" / "landing.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def healed_after(home: Path, killed_at: float, *, most_lag: int, within_s: float) -> float | None:
    """Wait until landing runs again, has ended a batch, and lags no more than is normal."""
    while (waited := time.time() - killed_at) < within_s:
        said = landing_progress(home)
        at, lag = said.get("at"), said.get("lag_messages")
        is_new = isinstance(at, float) and at > killed_at + 1 and said.get("batch_id") is not None
        if is_new and said["state"] == "running" and isinstance(lag, int) and lag <= most_lag:
            return round(waited, 1)
        time.sleep(0.2)
    return None
