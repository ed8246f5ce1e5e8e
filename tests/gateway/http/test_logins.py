"""Logins that are remembered: by little, however much is shown."""

import base64
import tracemalloc

from gateway.http.logins import Logins, Sender
from gateway.identity import Identity
from tests.gateway.entrances import NOW, house

SHOWN = "Basic " + base64.b64encode(b"d1:").decode()
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
