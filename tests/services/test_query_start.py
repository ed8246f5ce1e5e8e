"""What a service that has just started does before anybody has asked."""

import threading
from types import SimpleNamespace
from typing import cast

from services.query.served import Service
from services.query.start import keep_up

SOON_S, PATIENCE_S = 0.2, 10.0


def test_first_look_waits_for_who_asks_first_and_is_made_at_once_when_wanted() -> None:
    stopping, woken, stepped = threading.Event(), threading.Event(), threading.Event()
    follower = SimpleNamespace(woken=woken, step=stepped.set)
    live = SimpleNamespace(follower=follower, seats=SimpleNamespace(taken=0))
    service = cast(Service, SimpleNamespace(live=live, latest=None))
    thread = threading.Thread(target=keep_up, args=(service, stopping))
    thread.start()
    try:
        assert not stepped.wait(SOON_S)
        woken.set()
        assert stepped.wait(PATIENCE_S)
    finally:
        stopping.set()
        woken.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
