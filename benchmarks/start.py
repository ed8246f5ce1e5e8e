"""From `demo` to the first gold row, with warm caches and (`--cold`) with empty ones.

`make bench BENCH=start OUT=build/start.json`
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Figures, parser, report
from tests.end_to_end.stack import Stack, free_port_base

LIMIT_WARM_S = 90.0
LIMIT_COLD_S = 600.0
REPOSITORY = Path(__file__).parents[1]


def warm(folder: Path) -> Figures:
    """Run the demo on an empty home until the first gold row, and until all of it is up."""
    stack = Stack(folder / "home", free_port_base())
    started = time.monotonic()
    with (folder / "demo.log").open("wb") as log:
        demo = [sys.executable, "-m", "infra.cli", "demo"]
        running = subprocess.Popen(demo, env=stack.environment, stdout=log, stderr=log)
    try:
        gold_s = _seconds_until(lambda: _has_gold(stack), started)
        up_s = _seconds_until(lambda: stack.run("status", check=False).code == 0, started)
    except TimeoutError as error:
        raise SystemExit(f"{error}: {(folder / 'demo.log').read_text()}") from error
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(timeout=120)
    return {"gold_s": gold_s, "all_up_s": up_s, "gold_of_limit": gold_s / LIMIT_WARM_S}


def _has_gold(stack: Stack) -> bool:
    log = stack.home / "lake" / "gold" / "device_minute" / "_delta_log"
    return any(log.glob("*.json")) and not stack.table("gold.device_minute").is_empty()


def _seconds_until(is_there: Callable[[], bool], started: float) -> float:
    while not is_there():
        if time.monotonic() - started > LIMIT_COLD_S:
            raise TimeoutError("nothing to see")
        time.sleep(0.5)
    return time.monotonic() - started


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
