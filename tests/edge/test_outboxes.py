"""Which outbox a home has."""

import socket
from pathlib import Path

import pytest

from edge.outbox import OutboxError, OutRecord
from edge.outboxes import await_gateway, in_url, open_outbox, reachable, stack_mode
from edge.spool import SpoolOutbox
from telemetry.settings import Settings


def stack(home: Path, text: str, kafka: str | None = None) -> Settings:
    (home / "stack.json").write_text(text)
    return Settings(home=home, kafka=kafka)


def test_light_stack_has_the_spool(tmp_path: Path) -> None:
    with open_outbox(stack(tmp_path, '{"mode": "light"}')) as outbox:
        assert isinstance(outbox, SpoolOutbox)
        outbox.send(OutRecord(b"d", b"v", []))
    assert len(list((tmp_path / "spool" / "segments").iterdir())) == 1


def test_home_without_a_stack_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="headwater up"):
        open_outbox(Settings(home=tmp_path))


def test_foreign_broker_needs_no_stack_of_ours(tmp_path: Path) -> None:
    assert stack_mode(Settings(home=tmp_path, kafka="broker:9092")) == "full"


@pytest.mark.parametrize("text", ["", "[]", '{"mode": "medium"}', "{}"])
def test_unreadable_mode_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(OutboxError, match=r"stack\.json"):
        stack_mode(stack(tmp_path, text))


def test_gateway_that_is_away_is_named_and_one_that_is_there_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        await_gateway("127.0.0.1", port, within_s=60.0)

    with pytest.raises(OutboxError, match=rf"127\.0\.0\.1:{port}: start the stack"):
        await_gateway("127.0.0.1", port, within_s=0.1)


def test_broker_that_is_away_is_named(tmp_path: Path) -> None:
    settings = stack(tmp_path, '{"mode": "full"}', kafka="127.0.0.1:1")
    with pytest.raises(OutboxError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        open_outbox(settings)


@pytest.mark.parametrize(
    ("listening", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104
        ("::", "[::1]"),
        ("fe80::1", "[fe80::1]"),
        ("gateway.example", "gateway.example"),
    ],
)
def test_gateway_is_asked_by_an_address_that_a_url_may_have(listening: str, asked: str) -> None:
    assert in_url(reachable(listening)) == asked
