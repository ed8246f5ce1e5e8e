"""The cores' idle time: work that can wait takes what the streams leave of them."""

import contextlib
import os
from pathlib import Path


def take_idle_time_only() -> None:
    """Run the threads of this process, and those to come, only where nobody else wants the core.

    At any niceness a thread that can wait still takes its turns, and each of them makes a batch of
    landing later. Linux's SCHED_IDLE gives way at once (sched(7)). It is a thread's own, and there
    is no way back without privilege; where it is not known, the greatest niceness stands for it.
    """
    if not hasattr(os, "SCHED_IDLE"):
        os.nice(19)
        return
    for thread in Path("/proc/self/task").iterdir():
        # One that has ended since has nothing to give way with.
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
