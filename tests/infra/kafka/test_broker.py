"""The broker's configuration."""

from pathlib import Path

from infra.kafka.broker import kafka_service, server_properties
from telemetry.settings import Settings


def test_broker_listens_on_this_machine_alone(tmp_path: Path) -> None:
    text = server_properties(Settings(home=tmp_path, port_base=20000))
    properties = dict(line.split("=", 1) for line in text.splitlines())
    listeners = "PLAINTEXT://127.0.0.1:20000,CONTROLLER://127.0.0.1:20001"
    assert properties["listeners"] == listeners
    assert properties["log.dirs"] == str(tmp_path / "kafka" / "data")
    assert properties["auto.create.topics.enable"] == "false"


def test_one_node_asks_for_one_replica(tmp_path: Path) -> None:
    text = server_properties(Settings(home=tmp_path))
    factors = [line for line in text.splitlines() if "replication.factor" in line or ".isr" in line]
    assert len(factors) == 5
    assert all(line.endswith("=1") for line in factors)


def test_heap_is_the_setting(tmp_path: Path) -> None:
    command = kafka_service(Settings(home=tmp_path, kafka_heap_mb=200)).command()
    assert "-Xmx200m" in command
