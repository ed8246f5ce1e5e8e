"""5,000 messages/s (15,000 readings/s) on the whole stack: lag, freshness, memory.

`make bench BENCH=sustained OUT=build/sustained.json`
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.freshness import Freshness, Watcher
from benchmarks.report import Figures, minutes, parser, quantiles, report
from edge.registry_files import RegistryFiles
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

WARM_UP_S = 60
LIMIT_EVENT_TO_SILVER_S = 5.0
LIMIT_FINAL_AFTER_LATENESS_S = 15.0


def run(rate: int, minutes: float) -> Figures:
    """Start a stack, warm it up, hold the rate, and verify the ledger of it all."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", timeout_s=600)
        try:
            return _measure(stack, rate, minutes)
        finally:
            stack.run("down", check=False)


def _measure(stack: Stack, rate: int, minutes: float) -> Figures:
    ledger = stack.home / "ledger.ndjson"
    fleet = start_fleet(stack, rate, minutes * 60 + WARM_UP_S, ledger)
    time.sleep(WARM_UP_S)
    watcher = Watcher(stack.home / "lake", _lateness_s(stack))
    watcher.start()
    samples = [_status(stack, at) for at in _ticks(minutes * 60)]
    seen = watcher.stop()
    fleet.wait(timeout=120)
    verdict = stack.run("verify", str(ledger), "--json", "--timeout", "300", timeout_s=900).json
    assert isinstance(verdict, dict)
    return {
        **_figures(samples, seen),
        "rate": rate,
        "verdict_ok": verdict["ok"],
        "sent": verdict["sent"],
        "lost": verdict["lost"],
        "duplicate": verdict["duplicate"],
    }


def start_fleet(stack: Stack, rate: int, for_s: float, ledger: Path) -> subprocess.Popen[bytes]:
    """Start a thousand devices at a rate, in messages a second, with a ledger."""
    sizes = ["--devices", "1000", "--rate", str(rate), "--for", f"{for_s:.0f}s", "--seed", "1"]
    command = [sys.executable, "-m", "infra.cli", "simulate", "clean", *sizes]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [*command, "--ledger", str(ledger)], env=stack.environment, stdout=quiet, stderr=quiet
    )


def _lateness_s(stack: Stack) -> dict[str, float]:
    products = RegistryFiles(Settings(home=stack.home).registry_dir).products()
    return {
        key: product.lateness.total_seconds()
        for (_tenant, key), product in products.items()
        if product.lateness is not None
    }


def _ticks(for_s: float) -> list[float]:
    start = time.monotonic()
    return [start + step for step in range(10, int(for_s) + 1, 10)]


def _status(stack: Stack, at: float) -> dict[str, float]:
    time.sleep(max(0.0, at - time.monotonic()))
    status = stack.run("status", "--json").json
    assert isinstance(status, dict)
    landing = next(one for one in status["streams"] if one["name"] == "landing")
    pss_mb = sum(service["pss_mb"] or 0 for service in status["services"])
    return {"lag": landing["lag_messages"], "pss_mb": pss_mb}


def _figures(samples: list[dict[str, float]], seen: Freshness) -> Figures:
    half = len(samples) // 2
    lags = [sample["lag"] for sample in samples]
    silver = quantiles(seen.event_to_silver_s)
    closed = quantiles(list(seen.final_after_s.values()))
    return {
        "lag_first_half_mean": sum(lags[:half]) / half,
        "lag_second_half_mean": sum(lags[half:]) / (len(lags) - half),
        **{f"event_to_silver_{name}_s": value for name, value in silver.items()},
        "event_to_silver_p95_of_limit": silver["p95"] / LIMIT_EVENT_TO_SILVER_S,
        **{f"final_after_lateness_{name}_s": value for name, value in closed.items()},
        "final_max_of_limit": closed["max"] / LIMIT_FINAL_AFTER_LATENESS_S,
        "minutes_closed": len(seen.final_after_s),
        "pss_mb_max": max(sample["pss_mb"] for sample in samples),
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--rate", type=int, default=5000, help="messages a second")
    options.add_argument("--minutes", type=minutes, default=10, help="after one of warm-up")
    given = options.parse_args()
    report("sustained", run(given.rate, given.minutes), given.out)


if __name__ == "__main__":
    main()
