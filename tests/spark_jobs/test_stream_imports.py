"""The streams' driver starts without what only some rules need."""

import subprocess
import sys


def test_streams_start_without_the_libraries_of_models() -> None:
    program = "import sys, spark_jobs.jobs.stream; "
    program += "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "'spark_jobs'" in done.stdout, done.stderr
    assert "'scipy'" not in done.stdout
    assert "'sklearn'" not in done.stdout
