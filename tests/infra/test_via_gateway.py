"""`simulate` and `publish` by the way that devices take: each record reaches the gateway once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.entrances import LOCAL_KEY, house
from tests.gateway.served import Served

PROTOCOLS = ["mqtt", "http", "coap"]
CSV = "device,time,kw\n" + "".join(
    f"d{number % 3},2026-11-20 00:{number:02d}:00,{number}\n" for number in range(12)
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    running = Served(house())
    yield running
    running.stop()


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Path:
    """Return a home whose gateway this is: its tools' key, its ports."""
    (tmp_path / "stack.json").write_text('{"mode": "light", "port_base": 18000}')
    key = tmp_path / "gateway" / "tools.key"
    key.parent.mkdir()
    key.touch(mode=0o600)
    key.write_text(LOCAL_KEY.hex())
    served.house.outlet.taken.clear()
    return tmp_path


def run(served: Served, home: Path, *command: str) -> dict[str, object]:
    """Run a command as it is typed, and return what it says in the end."""
    ports = str(served.settings.port_base)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "HEADWATER_HOME": str(home), "HEADWATER_PORT_BASE": ports},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("via", PROTOCOLS)
def test_simulated_fleet_speaks_the_protocol(served: Served, home: Path, via: str) -> None:
    ledger = home / "ledger.ndjson"
    summary = run(
        served, home, "simulator", "simulate", "mixed", "--devices", "5", "--rate", "20",
        "--for", "2s", "--via", via, "--ledger", str(ledger), "--quiet",
    )  # fmt: skip

    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    sent = Counter(entry["sha256"] for entry in entries if entry["e"] == "sent")
    acknowledged = Counter(entry["sha256"] for entry in entries if entry["e"] == "ack")
    taken = [one for one in served.house.outlet.taken if one.topic == "telemetry"]
    assert {one.headers["protocol"] for one in taken} == {via.encode()}
    assert summary["acked"] == acknowledged.total() > 0
    assert not acknowledged - sent
    assert len(taken) <= int(str(summary["records"]))


@pytest.mark.parametrize("via", PROTOCOLS)
def test_published_lines_come_each_as_its_own_device(served: Served, home: Path, via: str) -> None:
    path = home / "plant.csv"
    path.write_text(CSV)

    result = run(
        served, home, "infra.cli", "publish", str(path), "--product", "pump", "--via", via
    )  # fmt: skip

    assert result["published"] == 12
    taken = served.house.outlet.taken
    assert Counter(one.key for one in taken) == {b"pump.d0": 4, b"pump.d1": 4, b"pump.d2": 4}
    assert {one.headers["protocol"] for one in taken} == {via.encode()}
    said = sorted(json.loads(one.value)["metrics"]["kw"] for one in taken)
    assert said == list(range(12))
