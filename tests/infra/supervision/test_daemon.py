"""What supervisord says of its processes."""

import os
import time

import psutil

from infra.supervision.daemon import run_of


def test_age_of_a_process_outlives_a_clock_that_was_set_back() -> None:
    said = {
        "name": "streams",
        "statename": "RUNNING",
        "pid": os.getpid(),
        "now": 1,
        "start": 90_000,
    }

    age_s = run_of(said).age_s

    assert abs(age_s - (time.time() - psutil.Process().create_time())) < 5
    assert run_of({**said, "now": 90_007}).age_s == 7
    assert run_of({**said, "pid": 0}).age_s == 0
