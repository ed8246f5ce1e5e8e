"""What a service that has just started does before anybody has asked."""

import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import cast

import uvicorn
from fastapi import FastAPI

from services.query.served import Service
from services.query.start import FIRST_LOOK_S, configured, follow, keep_up

SOON_S, PATIENCE_S = 0.2, 30.0
CLIENTS_KEEP_S = 5.0


def test_connection_that_rested_longer_than_clients_keep_it_is_answered() -> None:
    server = uvicorn.Server(configured(FastAPI(), "127.0.0.1", 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + PATIENCE_S
        while not server.started and time.monotonic() < until:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        with closing(HTTPConnection("127.0.0.1", port)) as client:
            client.auto_open = 0
            client.connect()
            for rest_s in (0.0, CLIENTS_KEEP_S + 1.0):
                time.sleep(rest_s)
                client.request("GET", "/nowhere")
                assert client.getresponse().read()
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


def test_newest_files_are_read_only_once_who_asked_first_has_been_answered() -> None:
    stopping, known, stepped = threading.Event(), threading.Event(), threading.Event()
    live = SimpleNamespace(follower=SimpleNamespace(woken=threading.Event(), step=lambda: None),
                           seats=SimpleNamespace(taken=0))  # fmt: skip
    hot = SimpleNamespace(step=stepped.set)
    service = SimpleNamespace(
        window_tables={"slow": SimpleNamespace(listing=known.wait)},
        warm=threading.Event(),
        live=live,
        lake=SimpleNamespace(hot=hot),
        latest=None,
    )
    thread = threading.Thread(target=follow, args=(cast(Service, service), stopping))
    thread.start()
    try:
        time.sleep(FIRST_LOOK_S + SOON_S)
        known.set()
        assert service.warm.wait(PATIENCE_S)
        assert not stepped.wait(FIRST_LOOK_S / 2)
        assert stepped.wait(PATIENCE_S)
    finally:
        stopping.set()
        live.follower.woken.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()


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
