"""Kafka stops while messages come: what was acknowledged is there once, the rest was refused."""

import asyncio
import json
import re
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.brokers import Broker
from tests.gateway.kills.fleets import Fleet
from tests.gateway.kills.gateways import GatewayProcess
from tests.gateway.kills.landed import TopicReader
from tests.gateway.kills.silver import rows_of_silver

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]
PER_S = 1_000
BEFORE_S, AFTER_S = 2.0, 8.0
ANSWERS_WITHIN_S = 40.0
DRAINED_WITHIN_S = 120.0
LONG_S = 60.0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("away_s", [5.0, LONG_S])
@pytest.mark.parametrize("is_killed", [False, True], ids=["frozen", "killed"])
@pytest.mark.parametrize("way", ["refuse", "spool"])
def test_what_was_acknowledged_is_there_once(
    broker: Broker, tmp_path: Path, way: str, is_killed: bool, away_s: float
) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    gateway = GatewayProcess(tmp_path / "home", bootstrap, HEADWATER_GATEWAY_WITHOUT_KAFKA=way)
    reader = TopicReader(bootstrap)
    try:
        gateway.wait_until_ready()
        fleet = Fleet(f"{way}-{is_killed}-{away_s:.0f}", 50)
        going = threading.Thread(target=_go_away, args=[broker, is_killed, away_s])
        going.start()
        seconds = BEFORE_S + away_s + AFTER_S
        asyncio.run(
            fleet.run(
                gateway.port("mqtt"),
                per_s=PER_S,
                seconds=seconds,
                answers_within_s=ANSWERS_WITHIN_S,
            )
        )
        going.join()
        _check_answers(fleet, gateway, seconds, has_spool=way == "spool")
        _check_topic(fleet, reader)
        if way == "spool":
            _check_order(fleet, reader)
        if away_s == LONG_S:
            _check_silver(fleet, tmp_path / "lake", bootstrap)
    finally:
        reader.close()
        gateway.close()


def _go_away(broker: Broker, is_killed: bool, away_s: float) -> None:
    time.sleep(BEFORE_S)
    if is_killed:
        broker.kill()
        time.sleep(away_s)
        broker.restart()
    else:
        broker.process.send_signal(signal.SIGSTOP)
        time.sleep(away_s)
        broker.process.send_signal(signal.SIGCONT)


def _check_answers(
    fleet: Fleet, gateway: GatewayProcess, seconds: float, *, has_spool: bool
) -> None:
    """Every message has one answer, as the gateway counts them too; refusals say when to retry."""
    devices = fleet.devices
    sent = sum(len(device.sent) for device in devices)
    acknowledged = sum(len(device.acknowledged) for device in devices)
    refusals = [told for device in devices for _, told in device.refused]
    timed_out = sum(device.unanswered for device in devices)
    assert sent > 0.8 * PER_S * seconds
    assert (sent - acknowledged - len(refusals), timed_out) == (0, 0)
    assert all("retry after" in told for told in refusals)
    counted = httpx.get(f"{gateway.url}/metrics", timeout=10).text
    found = re.findall(r"^\S*rejected\S*\{[^}]*\} (\d+)", counted, re.MULTILINE)
    assert sum(map(int, found)) == len(refusals)
    if has_spool:
        assert not refusals


def _check_silver(fleet: Fleet, home: Path, bootstrap: str) -> None:
    """What was acknowledged is one row; what was refused one at most, and nothing else is there."""
    found = rows_of_silver(home, bootstrap, {device.name for device in fleet.devices})
    for device in fleet.devices:
        rows = found[device.name]
        assert set(rows.values()) <= {1}
        assert {_value(one) for one in device.acknowledged} <= rows.keys()
        assert rows.keys() <= {_value(one) for one in device.sent}


def _value(message: bytes) -> float:
    return float(json.loads(message)["metrics"]["n"])


def _check_order(fleet: Fleet, reader: TopicReader) -> None:
    """The first copies of a device's messages stand in the order in which it sent them."""
    for device in fleet.devices:
        first = [key[3] for key in reader.contents if key[1] == device.name]
        assert first == sorted(first), device.name


def _check_topic(fleet: Fleet, reader: TopicReader) -> None:
    """What was acknowledged has one key each; what was refused one at most."""
    give_up = time.monotonic() + DRAINED_WITHIN_S
    while True:
        reader.refresh()
        there = {device.name: reader.of(device.name) for device in fleet.devices}
        missing = sum(
            len(set(device.acknowledged) - there[device.name].keys()) for device in fleet.devices
        )
        if not missing or time.monotonic() > give_up:
            break
        time.sleep(1.0)
    assert missing == 0
    for device in fleet.devices:
        assert set(there[device.name].values()) <= {1}
        assert there[device.name].keys() <= set(device.sent)
