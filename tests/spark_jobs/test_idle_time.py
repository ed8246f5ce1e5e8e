"""Idle time: every thread of the process gives way, those that ran before as well."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, threading
from spark_jobs.idle_time import take_idle_time_only

def wait():
    done.wait()

done = threading.Event()
before = threading.Thread(target=wait)
before.start()
take_idle_time_only()
after = threading.Thread(target=wait)
after.start()
print(*(os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")))
done.set()
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has idle scheduling")
def test_threads_before_and_after_take_idle_time() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(os.SCHED_IDLE)] * 3


COMPACT = """
import os, sys
from spark_jobs.main import main

code = main(["compact"])
print(os.sched_getscheduler(0))
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux has idle scheduling")
@pytest.mark.parametrize(("nice", "is_idle"), [("5", True), ("0", False)])
def test_compaction_gives_way_unless_jobs_come_first(
    tmp_path: Path, nice: str, is_idle: bool
) -> None:
    own = {"HEADWATER_HOME": str(tmp_path), "HEADWATER_JOB_NICE": nice}
    done = subprocess.run(
        [sys.executable, "-c", COMPACT],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.split()[-1] == str(os.SCHED_IDLE)) is is_idle
