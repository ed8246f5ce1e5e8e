"""What is left of the full stack joins the running one."""

import httpx
import pytest

from infra.services import service_names
from telemetry.settings import Settings
from telemetry.tables import TABLES
from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
ASSETS = "{assetNodes {assetKey {path}}}"


def test_the_rest_joins_and_dagster_shows_every_table(full_stack: Stack) -> None:
    before = _states(full_stack)
    full_stack.run("up", timeout_s=600)
    after = _states(full_stack)
    assert list(after) == list(service_names(Settings(superset="off"), "full"))
    assert {state for state, _ in after.values()} == {"running"}
    started = {name: pid for name, (state, pid) in before.items() if state == "running"}
    assert started.keys() == {"kafka", "streams", "trino"}
    assert started == {name: after[name][1] for name in started}
    assert {table.name for table in TABLES} <= _assets(full_stack)


def _states(stack: Stack) -> dict[str, tuple[str, int]]:
    status = stack.run("status", "--json").json
    assert isinstance(status, dict)
    return {service["name"]: (service["state"], service["pid"]) for service in status["services"]}


def _assets(stack: Stack) -> set[str]:
    url = f"http://127.0.0.1:{Settings(port_base=stack.port_base).port('dagster')}/graphql"
    answer = httpx.post(url, json={"query": ASSETS}, timeout=60).raise_for_status().json()
    return {".".join(node["assetKey"]["path"]) for node in answer["data"]["assetNodes"]}
