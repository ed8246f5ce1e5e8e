"""From `up` to the first gold row, with warm caches and (`--cold`) with empty ones.

`make bench BENCH=start OUT=build/start.json`
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figures, parser, report
from tests.end_to_end.stack import Stack, free_port_base

LIMIT_WARM_S = 90.0
LIMIT_COLD_S = 600.0
REPOSITORY = Path(__file__).parents[1]


def warm(folder: Path) -> Figures:
    """Run the demo's path on an empty home: up, a fleet, the first gold row."""
    stack = Stack(folder / "home", free_port_base())
    started = time.monotonic()
    stack.run("up", timeout_s=900)
    healthy_s = time.monotonic() - started
    fleet = [sys.executable, "-m", "infra.cli", "simulate", "mixed", "--for", "60s"]
    with (folder / "fleet.log").open("wb") as log:
        running = subprocess.Popen(fleet, env=stack.environment, stdout=log, stderr=log)
    try:
        while stack.table("gold.device_minute").is_empty():
            if running.poll() or time.monotonic() - started > LIMIT_COLD_S:
                raise SystemExit(f"no gold: {(folder / 'fleet.log').read_text()}")
            time.sleep(0.5)
        gold_s = time.monotonic() - started
    finally:
        running.terminate()
        running.wait()
        stack.run("down", check=False)
    return {"healthy_s": healthy_s, "gold_s": gold_s, "gold_of_limit": gold_s / LIMIT_WARM_S}


def cold(folder: Path) -> Figures:
    """Clone into an empty folder with empty caches and run `make demo` until it ends."""
    clone, caches = folder / "clone", folder / "caches"
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
    stack = Stack(clone / ".headwater", free_port_base())
    environment = {
        **stack.environment,
        "HEADWATER_CACHE": str(caches / "headwater"),
        "UV_CACHE_DIR": str(caches / "uv"),
        "PIP_CACHE_DIR": str(caches / "pip"),
    }
    started = time.monotonic()
    demo = ["make", "-C", str(clone), "demo", "DEMO_ARGS=--for 40"]
    subprocess.run(demo, env=environment, check=True, stdin=subprocess.DEVNULL)
    demo_s = time.monotonic() - started
    subprocess.run(["make", "-C", str(clone), "demo-stop"], env=environment, check=True)
    return {"cold_demo_s": demo_s, "cold_of_limit": demo_s / LIMIT_COLD_S}


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--cold", action="store_true", help="also with empty caches")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = dict(warm(Path(folder)))
        if given.cold:
            figures |= cold(Path(folder))
    report("start", figures, given.out)


if __name__ == "__main__":
    main()
