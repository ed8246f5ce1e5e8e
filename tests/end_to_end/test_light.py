"""The light stack: a damaged checkpoint is mended, then it moves up in the middle of a file."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson
import psutil
import pytest

from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
WITHIN_S = 120


def publish(stack: Stack, first: int, last: int) -> None:
    """Publish messages with numbers of their own."""
    file = stack.home / f"{first}.ndjson"
    lines = [orjson.dumps({"seq": n, "boot": "b", "metrics": {"x": n}}) for n in range(first, last)]
    file.write_bytes(b"\n".join(lines))
    stack.run("publish", str(file), "--device", "valve.v1")


def stream(stack: Stack, name: str) -> Mapping[str, object]:
    """Return what status says of a stream."""
    return next((one for one in stack.health()["streams"] if one["name"] == name), {})


def wait(stack: Stack, name: str, state: str) -> Mapping[str, object]:
    """Wait until a stream is in a state."""
    until = time.monotonic() + WITHIN_S
    while (now := stream(stack, name)).get("state") != state:
        assert time.monotonic() < until, now
        time.sleep(1)
    return now


def wait_for_error(stack: Stack, name: str) -> str:
    """Wait until a stream that failed says why: of a killed application it is not known yet."""
    until = time.monotonic() + WITHIN_S
    while not (error := (now := stream(stack, name)).get("error")):
        assert time.monotonic() < until, now
        time.sleep(1)
    assert now["state"] == "failed"
    return str(error)


def wait_for_batch(offsets: Path) -> None:
    """Wait until a stream has begun its first batch."""
    until = time.monotonic() + WITHIN_S
    while not list(offsets.glob("[0-9]*")):
        assert time.monotonic() < until
        time.sleep(0.1)


def kill_streams(stack: Stack) -> None:
    """End the stream application without asking; it is started again by itself."""
    (pid,) = [one["pid"] for one in stack.health()["services"] if one["name"] == "streams"]
    assert isinstance(pid, int)
    for process in [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]:
        # A worker may end by itself in between.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


@pytest.mark.faults
def test_damaged_checkpoint_is_refused_by_name_and_mended_by_one_command(
    light_stack: Stack,
) -> None:
    publish(light_stack, 0, 300)
    wait(light_stack, "landing_spool", "running")
    offsets = light_stack.home / "checkpoints" / "landing_spool" / "offsets"
    wait_for_batch(offsets)
    kill_streams(light_stack)
    newest = max((path for path in offsets.glob("[0-9]*")), key=lambda path: int(path.name))
    newest.write_bytes(b"")

    refused = wait_for_error(light_stack, "landing_spool")
    assert "[CHECKPOINT_FILE_EMPTY]" in refused
    assert "headwater job recover landing_spool" in refused
    assert "[CHECKPOINT_FILE_EMPTY]" in light_stack.run("logs", "streams").out
    assert wait(light_stack, "gold", "running")["error"] is None
    publish(light_stack, 300, 500)

    light_stack.run("job", "recover", "landing_spool")
    wait(light_stack, "landing_spool", "running")
    until = time.monotonic() + WITHIN_S
    while stream(light_stack, "landing_spool").get("lag_messages") != 0:
        assert time.monotonic() < until
        time.sleep(1)
    assert list(light_stack.home.glob("checkpoints/landing_spool.broken-*"))
    asked = "select count(*) as n, count(distinct seq) as seqs from silver.readings"
    assert light_stack.sql(asked) == [{"n": 500, "seqs": 500}]


def write_lines(path: Path, first: int, last: int) -> None:
    """Write messages with numbers of their own, so that the file's name does not matter."""
    lines = [
        orjson.dumps(
            {"seq": n, "ts": f"2026-02-01T00:{n // 60:02}:{n % 60:02}Z", "metrics": {"x": n}}
        )
        for n in range(first, last)
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")


def test_light_stack_is_small_and_moves_up_in_the_middle_of_a_file(
    light_stack: Stack, request: pytest.FixtureRequest
) -> None:
    halves = light_stack.home / "first.ndjson", light_stack.home / "second.ndjson"
    write_lines(halves[0], 0, 500)
    write_lines(halves[1], 450, 900)
    ledger = light_stack.home / "ledger.ndjson"
    target = ["--device", "pump.p1", "--ledger", str(ledger)]

    light_stack.run("publish", str(halves[0]), *target)
    light_stack.run("verify", str(ledger), "--json", check=False)
    asked = "select count(*) as n, sum(value) as total from silver.readings where product = 'pump'"
    small = light_stack.sql(asked)
    services = light_stack.run("status", "--json").json
    light_stack.run("publish", str(halves[0]), *target)
    full_stack: Stack = request.getfixturevalue("full_stack")
    full_stack.run("publish", str(halves[1]), *target)
    full_stack.run("verify", str(ledger), "--json", check=False)

    assert small == [{"n": 500, "total": float(sum(range(500)))}]
    assert isinstance(services, dict)
    assert sum(service["pss_mb"] for service in services["services"]) < 2048
    assert full_stack.sql(asked) == [{"n": 900, "total": float(sum(range(900)))}]
    topics = full_stack.sql(
        "select topic, count(*) as records from bronze.messages"
        " where kafka_key = to_utf8('pump.p1') group by topic order by topic"
    )
    assert topics == [{"topic": "spool", "records": 1000}, {"topic": "telemetry", "records": 450}]
