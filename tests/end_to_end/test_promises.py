"""A faulty fleet, killed streams and rubbish: counted from outside, nothing is lost or doubled."""

import os
import signal
from pathlib import Path

import orjson
import polars as pl
import pytest

from infra.commands.sql import answer
from infra.demo.questions import FAULTS
from infra.drills.floods import MOST_GROWTH_MB
from infra.processes import tree_pss_mb
from simulator.scenarios import load_scenario
from telemetry.settings import Settings
from tests.end_to_end.durable import durable, grown, unlanded
from tests.end_to_end.stack import Stack
from tests.faults.plan import Kill
from tests.faults.siege import Siege

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

POISON = [
    b"",
    b"{",
    b'{"metrics":{"x":1',
    b'{"metrics":{"x":NaN}}',
    b'{"metrics":{"x":1e400}}',
    b'{"metrics":{"x":"\xff\xfe"}}',
    b"[" * 100_000,
    b'{"metrics":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001,
    b'{"metrics":{"note":"' + b"y" * 1_000_000 + b'"}}',
    b"null",
    b"true",
    b"[]",
    b"[1,[2]]",
    b'{"metrics":{"x":1},"ts":"9999-12-31T23:59:59Z"}',
    b'{"metrics":{"x":1},"ts":"0001-01-01T00:00:00Z"}',
    b"\x00\x01\x02",
    b'{"metrics":{"x":1}}\r',
]


def simulate(stack: Stack, scenario: str, ledger: Path, *, seed: int, for_s: int = 20) -> None:
    """Run a small fleet with its ledger."""
    sizes = ["--devices", "60", "--rate", "400", "--for", f"{for_s}s", "--seed", str(seed)]
    stack.run("simulate", scenario, *sizes, "--ledger", str(ledger))


def verdict(stack: Stack, *ledgers: Path) -> dict[str, object]:
    """Return the verdict; the code of the command must agree with it."""
    names = map(str, ledgers)
    answer = stack.run("verify", *names, "--json", "--timeout", "180", check=False)
    found = answer.json
    assert isinstance(found, dict)
    assert (answer.code == 0) is found["ok"]
    return found


def assert_kept(found: dict[str, object]) -> None:
    """Hold every count of broken promises at zero."""
    broken = {
        name: found[name] for name in ("lost", "duplicate", "phantom", "altered", "misplaced")
    }
    assert broken == dict.fromkeys(broken, 0), found
    assert found["ok"], found


def streams_pid(stack: Stack) -> int:
    """Return the process of the stream application."""
    services = stack.run("status", "--json").json
    assert isinstance(services, dict)
    pid: int = next(one["pid"] for one in services["services"] if one["name"] == "streams")
    return pid


def test_each_fault_comes_out_where_the_ledger_expects_it(full_stack: Stack) -> None:
    ledger = full_stack.home / "faults.ndjson"
    simulate(full_stack, "faults", ledger, seed=3)

    assert_kept(verdict(full_stack, ledger))


def test_demo_s_query_finds_a_row_of_each_fault(full_stack: Stack) -> None:
    settings = Settings(home=full_stack.home, port_base=full_stack.port_base)
    without = [fault for fault, query in FAULTS.items() if not [*answer(settings, query).rows]]

    assert without == []
    assert set(load_scenario("mixed").faults) == set(FAULTS)


def test_streams_killed_three_times_lose_and_double_nothing(full_stack: Stack) -> None:
    siege = Siege(full_stack, rate=200, seed=4, scenario="mixed")
    fleet = siege.start_fleet(0)
    try:
        siege.wait_for_traffic()
        for number, point in enumerate(("commit:bronze.messages", "commit:gold.device_minute")):
            assert siege.strike(Kill(number, point, nth=2, share=0.0))["heal_s"] is not None
        pid = siege.application()
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    finally:
        fleet.terminate()
        assert fleet.wait(timeout=120) == 0

    assert_kept(verdict(full_stack, *siege.ledgers))
    assert unlanded(full_stack) == {}
    assert siege.application() != pid


def test_poison_costs_no_message_and_no_memory(full_stack: Stack) -> None:
    ledger = full_stack.home / "poisoned.ndjson"
    pid = streams_pid(full_stack)
    before = tree_pss_mb(pid)
    simulate(full_stack, "poison", ledger, seed=5, for_s=10)

    found = verdict(full_stack, ledger)
    after = tree_pss_mb(pid)
    assert_kept(found)
    rejected = found["rejected"]
    assert isinstance(rejected, dict)
    assert sum(rejected.values()) >= 20
    assert before is not None
    assert after is not None, "the stream application died of it"
    assert after - before < MOST_GROWTH_MB


def test_rubbish_gets_rows_with_reasons(full_stack: Stack) -> None:
    file = full_stack.home / "poison.txt"
    file.write_bytes(b"\n".join(POISON) + b"\n")
    ledger = full_stack.home / "poison.ndjson"
    arguments = ["--raw", "--device", "poison", "--ledger", str(ledger)]
    before = durable(full_stack)
    said = full_stack.run("publish", str(file), *arguments).json
    assert grown(before, durable(full_stack)) == len(POISON), "acknowledged is durable"

    verdict(full_stack, ledger)
    mine = pl.col("device_full") == "poison"
    bronze = full_stack.table("bronze.messages").filter(pl.col("kafka_key") == b"poison")
    rejected = full_stack.table("silver.rejected").filter(mine)
    accepted = full_stack.table("silver.readings").filter(mine)
    assert said == {"read": len(POISON), "published": len(POISON), "bad_lines": 0}
    assert sorted(bronze["value"].to_list()) == sorted(POISON)
    assert bronze["items"].sum() == len(rejected) + accepted["offset"].n_unique()
    assert rejected["reasons"].list.len().min() == 1
    assert len(accepted) == 4


def test_the_same_file_twice_is_once_in_silver(full_stack: Stack) -> None:
    file = full_stack.home / "twice.ndjson"
    lines = [
        orjson.dumps(
            {"device": f"d{n % 3}", "ts": f"2026-01-01T00:00:{n:02}Z", "metrics": {"x": n}}
        )
        for n in range(60)
    ]
    file.write_bytes(b"\n".join(lines))
    ledger = full_stack.home / "twice-ledger.ndjson"
    for _ in range(2):
        full_stack.run("publish", str(file), "--product", "twice", "--ledger", str(ledger))
    full_stack.run("verify", str(ledger), "--json", check=False)

    rows = full_stack.sql(
        "select (select count(*) from silver.readings where product = 'twice') as readings,"
        " (select count(*) from silver.duplicates where product = 'twice') as duplicates"
    )
    assert rows == [{"readings": 60, "duplicates": 60}]


def test_trino_reads_what_delta_rs_reads(full_stack: Stack) -> None:
    for name in ("bronze.messages", "silver.readings", "silver.rejected"):
        rows = full_stack.sql(f"select count(*) as rows from {name}")
        assert rows == [{"rows": len(full_stack.table(name))}]
