"""Which services a mode has."""

from pathlib import Path

import pytest

from infra.services import DAGSTER, chosen_names, declared_services, service_names
from infra.superset.environment import is_wanted
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def test_full_stack_has_everything() -> None:
    served = ("gateway", "query", "alerts", "fast", "trino")
    names = ("kafka", "registry", "streams", *served, *DAGSTER, "superset")
    assert service_names(Settings(superset="on"), "full") == names


def test_light_stack_is_the_streams_the_gateway_and_the_queries() -> None:
    assert service_names(Settings(), "light") == ("streams", "gateway", "query")


def test_light_stack_has_two_gibibytes() -> None:
    settings = Settings()
    services = declared_services(settings, "light", service_names(settings, "light"))
    assert sum(service.budget_mb for service in services) <= 2048


def test_scheduled_streams_are_no_service() -> None:
    assert "streams" not in service_names(Settings(streams="scheduled"), "full")
    with pytest.raises(HeadwaterError, match="--light"):
        service_names(Settings(streams="scheduled"), "light")


def test_superset_is_left_out_where_the_settings_say_so() -> None:
    assert "superset" not in service_names(Settings(superset="off"), "full")
    assert "superset" not in service_names(Settings(superset="on"), "light")


def test_superset_is_wanted_wherever_a_python_fits_it() -> None:
    assert is_wanted(Settings(superset="auto"), lambda: "python3.12")
    assert not is_wanted(Settings(superset="auto"), lambda: None)
    assert is_wanted(Settings(superset="on"), lambda: None)
    assert not is_wanted(Settings(superset="off"), lambda: "python3.12")


def test_superset_starts_after_all_others() -> None:
    settings = Settings(superset="on")
    services = declared_services(settings, "full", service_names(settings, "full"))
    waits = {service.name: service.after for service in services}
    assert not any("superset" in after for after in waits.values())
    assert {"streams", "gateway", "trino", "dagster-daemon"} == set(waits["superset"])


def test_bridge_is_a_service_where_a_broker_is_named() -> None:
    settings = Settings(bridge_broker="mqtt://broker")
    light = ("streams", "gateway", "bridge", "query")

    assert "bridge" not in service_names(Settings(), "full")
    assert "bridge" in service_names(settings, "full")
    assert service_names(settings, "light") == light
    with pytest.raises(HeadwaterError, match="HEADWATER_BRIDGE_PASSWORD"):
        service_names(Settings(bridge_broker="mqtt://me:secret@broker"), "full")


def test_foreign_broker_is_no_service() -> None:
    assert "kafka" not in service_names(Settings(kafka="broker:9092"), "full")


def test_registry_of_another_machine_is_no_service() -> None:
    settings = Settings(registry_url="http://registry:18006")
    assert "registry" not in service_names(settings, "full")


def test_only_takes_names_and_groups_in_any_order() -> None:
    chosen = chosen_names(Settings(), "full", "dagster, kafka")
    assert chosen == ("kafka", *DAGSTER)


@pytest.mark.parametrize(("mode", "only"), [("full", "nope"), ("full", ","), ("light", "kafka")])
def test_only_refuses_what_is_not_there(mode: str, only: str) -> None:
    with pytest.raises(HeadwaterError, match="there are "):
        chosen_names(Settings(), "light" if mode == "light" else "full", only)


def test_declaring_costs_nothing_and_needs_nothing_fetched(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache")
    services = declared_services(settings, "full", service_names(settings, "full"))
    assert not (tmp_path / "home").exists()
    ports = [port for service in services for port in service.ports]
    assert len(ports) == len(set(ports))
    a_batch_job = 1024
    assert sum(service.budget_mb for service in services) + a_batch_job < 8192
