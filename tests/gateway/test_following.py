"""The registry's changes as the gateway takes them up."""

from datetime import UTC, datetime

import pytest

from gateway.directory import Directory
from gateway.feeds import Record
from gateway.following import take_up
from telemetry.changes import Change, ChangeKey, DeviceBody, encode_change
from telemetry.devices import Device


def record(name: str, edition: int, *, is_disabled: bool = False) -> Record:
    key, body = ChangeKey("device", "default", name), DeviceBody(Device(name), is_disabled)
    told = encode_change(Change(key, edition, datetime.now(UTC), body))
    return Record(told.key, told.value, dict(told.headers))


def test_change_that_fails_keeps_none_behind_it_from_being_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = Directory()
    take_up(directory, "gateway", [record("d1", 1), record("d2", 2)])

    def failing(change: Change) -> None:
        if change.key.name == "d1":
            raise ArithmeticError("what nobody thought of")

    directory.on_change = failing
    later = [record("d1", 3), Record(b"device/default/d3", b"{", {})]
    take_up(directory, "gateway", [*later, record("d2", 4, is_disabled=True)])

    assert directory.device("default", "d2") is None
    told = capsys.readouterr().err
    assert "what nobody thought of" in told
    assert "device/default/d3" in told
