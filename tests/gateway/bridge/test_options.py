"""What the bridge makes of its settings, and what it keeps beside it."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from gateway.bridge.health import health_app
from gateway.bridge.options import (
    broker_address,
    client_context,
    login,
    session_file,
    shared_patterns,
)
from gateway.bridge.session import SessionFile
from gateway.counters import Counters
from telemetry.errors import SettingsError
from telemetry.settings import Settings
from tests.gateway.certificates import Authority


def test_filters_are_shared_by_the_group() -> None:
    settings = Settings(bridge_filters=" a/+/b, c/# ,", bridge_group="g")

    assert shared_patterns(settings) == ("$share/g/a/+/b", "$share/g/c/#")


@pytest.mark.parametrize(
    ("filters", "group"), [("", "g"), ("a/#/b", "g"), ("a", "g+"), ("a", ""), ("a", "g/h")]
)
def test_filters_and_groups_that_do_not_hold_are_refused(filters: str, group: str) -> None:
    with pytest.raises(SettingsError, match="HEADWATER_BRIDGE"):
        shared_patterns(Settings(bridge_filters=filters, bridge_group=group))


def test_login_carries_the_password_and_no_text_of_it() -> None:
    settings = Settings(bridge_user="me", bridge_password="hunter2", bridge_window=7)  # type: ignore[arg-type]
    own = login(settings, "c")

    assert (own.user, own.password, own.window) == ("me", b"hunter2", 7)
    assert "hunter2" not in repr(settings)


def test_qos_is_read_as_the_environment_has_it() -> None:
    assert Settings(bridge_qos="2").bridge_qos == 2  # type: ignore[arg-type]


def test_bridge_needs_a_broker() -> None:
    with pytest.raises(SettingsError, match="names no broker"):
        broker_address(Settings())


def test_tls_checks_the_brokers_name(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(Authority("a").pem)
    plain = Settings(bridge_broker="mqtt://b", bridge_authorities=authority)
    secure = Settings(bridge_broker="mqtts://b", bridge_authorities=authority)

    assert client_context(plain, broker_address(plain)) is None
    context = client_context(secure, broker_address(secure))
    assert context is not None
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_authorities_that_are_none_are_named() -> None:
    settings = Settings(bridge_broker="mqtts://b", bridge_authorities=Path("/nowhere.pem"))
    with pytest.raises(SettingsError, match="HEADWATER_BRIDGE_AUTHORITIES"):
        client_context(settings, broker_address(settings))


def test_name_of_the_session_is_drawn_once(tmp_path: Path) -> None:
    first = session_file(Settings(home=tmp_path)).client_id
    other = session_file(Settings(home=tmp_path / "other")).client_id

    assert session_file(Settings(home=tmp_path)).client_id == first != other
    assert len(first) <= 23
    assert session_file(Settings(home=tmp_path, bridge_client_id="own")).client_id == "own"


def test_filters_that_are_given_up_are_known_until_the_broker_knows(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    SessionFile(path, client_id=None, patterns=("a", "b")).subscribed()
    assert SessionFile(path, client_id=None, patterns=("b", "c")).outdated == ("a",)
    again = SessionFile(path, client_id=None, patterns=("b", "c"))
    assert again.outdated == ("a",)
    again.subscribed()
    assert SessionFile(path, client_id=None, patterns=("b", "c")).outdated == ()
    assert SessionFile(path, client_id="new", patterns=("d",)).outdated == ()


def test_health_page_says_what_is_amiss() -> None:
    counters = Counters()
    counters.add("bridged", qos="1")
    complaints = [None, "the broker is away"]
    app = health_app(lambda: complaints.pop(0), counters)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://b") as client:
            return [await client.get(path) for path in ("/health", "/health", "/metrics")]

    well, ill, metrics = asyncio.run(ask())
    assert well.json() == {"state": "running", "complaint": None}
    assert ill.json() == {"state": "degraded", "complaint": "the broker is away"}
    assert 'headwater_gateway_bridged_total{qos="1"} 1' in metrics.text
