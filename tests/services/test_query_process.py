"""The query service as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.services.query_lake import Reading, TestLake, numbered

MINUTE = 60_000_000
START = 20_600 * 1440 * MINUTE
PATIENCE_S = 120.0
FORMS = ("json", "csv", "arrow")


@contextmanager
def running(home: Path) -> Iterator[tuple[httpx.Client, int]]:
    """Run the service of a light home; yield who may ask it, and its process, once it is ready."""
    settings = Settings(home=home, port_base=free_port_base())
    (home / "stack.json").write_text('{"mode": "light", "port_base": 0, "services": []}')
    environment = os.environ | {
        "HEADWATER_HOME": str(home),
        "HEADWATER_PORT_BASE": str(settings.port_base),
    }
    process = subprocess.Popen([sys.executable, "-m", "services.query"], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port('query')}") as client:
            until_ready(client, process)
            key = settings.query_key_file.read_text().strip()
            client.headers["Authorization"] = f"Bearer {key}"
            yield client, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        assert process.poll() is None, "it ended at its start"
        try:
            if client.get("/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError("it is not ready")


def told(client: httpx.Client, path: str, **asked: object) -> bytes:
    """Return an answer's content, once it has one."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        answer = client.get(path, params={name: str(value) for name, value in asked.items()})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.is_success, answer.text
            return answer.content
        time.sleep(0.1)
    raise TimeoutError(path)


def test_no_answer_brings_pandas_into_the_process(tmp_path: Path) -> None:
    lake = TestLake(tmp_path / "lake")
    landed = numbered([Reading(START + n * MINUTE, float(n)) for n in range(120)])
    lake.land(landed[:60])
    lake.make_gold(START + 60 * MINUTE)
    series = {"device_id": "meter.m1", "metric": "kwh", "start": START, "end": START + 120 * MINUTE}
    windows = {"width": "minute", "device_id": "meter.m1", "start": START}
    with running(tmp_path) as (client, pid):
        for now in (landed[:60], landed):
            if now is landed:
                lake.land([*landed[60:], *landed[60:]])
            for form in FORMS:
                assert told(client, "/v1/query", **series, format=form)
                assert told(client, "/v1/latest", format=form)
                assert told(client, "/v1/windows", **windows, format=form)
            points = httpx.Response(200, content=told(client, "/v1/query", **series)).json()
            assert points["points_out"] == len(now)
        assert told(client, "/v1/live", device_id="meter.m1", follow=False)
        assert "/pandas/" not in Path(f"/proc/{pid}/maps").read_text()
