"""Stands in for `spark_jobs/main.py`: notes its arguments and reports what it is told to."""

import json
import os
import sys
from pathlib import Path

from dagster_pipes import open_dagster_pipes

folder, arguments = Path(sys.argv[1]), sys.argv[2:]
with (folder / "calls.ndjson").open("a") as calls:
    calls.write(json.dumps(arguments) + "\n")
with (folder / "niceness").open("w") as niceness:
    niceness.write(str(os.nice(0)))
answer = folder / f"{arguments[0]}.json"
if not answer.exists():
    sys.exit(f"error: no answer to {arguments[0]}")
with open_dagster_pipes() as pipes:
    pipes.report_custom_message(json.loads(answer.read_text()))
