"""The light stack gives the same tables, and moves up in the middle of a file."""

from pathlib import Path

import orjson
import pytest

from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def write_lines(path: Path, first: int, last: int) -> None:
    """Write messages with numbers of their own, so that the file's name does not matter."""
    lines = [
        orjson.dumps(
            {"seq": n, "ts": f"2026-02-01T00:{n // 60:02}:{n % 60:02}Z", "metrics": {"x": n}}
        )
        for n in range(first, last)
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")


def test_light_stack_is_small_and_moves_up_in_the_middle_of_a_file(light_stack: Stack) -> None:
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
    light_stack.run("down")
    light_stack.run("up", "--only", "kafka,streams,trino", timeout_s=600)
    light_stack.run("publish", str(halves[1]), *target)
    light_stack.run("verify", str(ledger), "--json", check=False)

    assert small == [{"n": 500, "total": float(sum(range(500)))}]
    assert isinstance(services, dict)
    assert sum(service["pss_mb"] for service in services["services"]) < 2048
    assert light_stack.sql(asked) == [{"n": 900, "total": float(sum(range(900)))}]
    topics = light_stack.sql(
        "select topic, count(*) as records from bronze.messages group by topic order by topic"
    )
    assert topics == [{"topic": "spool", "records": 1000}, {"topic": "telemetry", "records": 450}]
