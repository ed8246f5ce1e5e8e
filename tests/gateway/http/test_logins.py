"""Logins that are remembered: by little, however much is shown."""

import base64
import tracemalloc

from gateway.http.logins import Logins, Sender
from gateway.identity import Identity
from telemetry.local_tokens import local_token
from tests.gateway.entrances import LOCAL_KEY, NOW, enrol, house, signed


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


SHOWN = basic("d1", "")
LONG = 8_000


def test_login_is_remembered_by_little_however_long_its_head_is() -> None:
    """What a client id says beside a token, or blanks before a password, is anything."""
    logins, sender = Logins(house(is_anonymous=True).entrance), Sender("10.0.0.1")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            found = logins.identity(SHOWN, f"{number:{LONG}}", sender, now=NOW)
            assert isinstance(found, Identity)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 100 * LONG / 4


def test_login_is_told_from_one_that_shows_the_same_in_other_places() -> None:
    logins, sender = Logins(house(is_anonymous=True).entrance), Sender("10.0.0.1")
    known = logins.identity(SHOWN, None, sender, now=NOW)

    assert isinstance(known, Identity)
    assert not isinstance(logins.identity(None, SHOWN, sender, now=NOW), Identity)


def test_name_may_have_colons_as_a_mac_address_has() -> None:
    one, sender = house(is_anonymous=True), Sender("10.0.0.1")
    enrol(one.directory, "meter.AA:BB:CC", b"secret")
    shown = signed("meter.AA:BB:CC", b"secret")
    token = local_token(LOCAL_KEY, "AA:BB", now=NOW)
    logins = Logins(one.entrance)

    found = [
        logins.identity(basic(shown.username, shown.password), shown.client_id, sender, now=NOW),
        logins.identity(basic("AA:BB", token), None, sender, now=NOW),
        logins.identity(basic("AA:BB", ""), None, sender, now=NOW),
        logins.identity(basic("d1", "some:password"), None, sender, now=NOW),
    ]

    named = [each.device_full if isinstance(each, Identity) else each for each in found]
    assert named == ["meter.AA:BB:CC", "AA:BB", "AA:BB", "d1"]
