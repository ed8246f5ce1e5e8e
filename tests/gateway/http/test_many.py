"""Many requests of one connection: taken back, answered early, or more than a library counts."""

import socket
import time
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamReset

from gateway.http.connections import MOST_RESETS
from tests.gateway.entrances import MESSAGE
from tests.gateway.http.test_connections import BASIC, CHUNKED, STRANGER, Caller
from tests.gateway.served import Served

WITHIN_S = 20.0


class Http2:
    """A client whose frames a test sends by itself."""

    def __init__(self, served: Served) -> None:
        self._sock = socket.create_connection(("127.0.0.1", served.port("http")), 10)
        self.frames = H2Connection(H2Configuration(client_side=True))
        self.frames.initiate_connection()
        self.heard: list[Event] = []
        self.is_over = False

    def flush(self) -> None:
        self._sock.sendall(self.frames.data_to_send())

    def begin(self, authorization: str = BASIC) -> int:
        """Begin a POST, and return its stream."""
        stream = self.frames.get_next_available_stream_id()
        names = {":method": "POST", ":scheme": "http", ":authority": "g"}
        path = {":path": "/devices/d1/telemetry", "authorization": authorization}
        self.frames.send_headers(stream, [*(names | path).items()])
        return stream

    def status(self, stream: int) -> str | None:
        """Return the status of a request's answer, None if there is none in time."""
        give_up = time.monotonic() + WITHIN_S
        while time.monotonic() < give_up and not self.is_over:
            for event in self.heard:
                if isinstance(event, ResponseReceived) and event.stream_id == stream:
                    return dict(event.headers or ())[b":status"].decode()
            self.hear()
        return None

    def reset(self, while_sending: int) -> StreamReset | None:
        """Send on until a request is taken from the client, None if none is in time."""
        give_up = time.monotonic() + WITHIN_S
        while time.monotonic() < give_up and not self.is_over:
            for event in self.heard:
                if isinstance(event, StreamReset):
                    return event
            self.frames.send_data(while_sending, b"x")
            self.flush()
            self.hear()
        return None

    def post(self) -> str | None:
        """Send a message whole, and return the answer's status."""
        stream = self.begin()
        self.frames.send_data(stream, MESSAGE, end_stream=True)
        self.flush()
        return self.status(stream)

    def hear(self) -> None:
        """Take what comes."""
        self._sock.settimeout(0.2)
        try:
            data = self._sock.recv(65_536)
        except TimeoutError:
            return
        except ConnectionResetError:
            data = b""
        self.is_over = not data
        self.heard += self.frames.receive_data(data)

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def client(served: Served) -> Iterator[Http2]:
    made = Http2(served)
    yield made
    made.close()


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.sock.close()


def test_refused_body_of_very_many_chunks_does_not_hold_its_connection(caller: Caller) -> None:
    caller.send(STRANGER + CHUNKED, b"1\r\n{\r\n" * 5_000)

    assert caller.rest().startswith(b"HTTP/1.1 401 ")


def test_connection_of_2_takes_more_requests_than_the_library_counts(client: Http2) -> None:
    for number in range(1_005):
        assert client.post() == "202", number
        client.heard.clear()


def test_rest_of_a_body_that_was_refused_does_not_end_the_other_requests(client: Http2) -> None:
    other = client.begin()
    refused = client.begin(authorization="Basic x")
    client.flush()
    assert client.status(refused) == "401"
    for _ in range(20):
        client.frames.send_data(refused, b"x" * 1_000)
        client.flush()

    client.frames.send_data(other, MESSAGE, end_stream=True)
    client.flush()
    assert client.status(other) == "202"
    first = client.reset(while_sending=refused)
    assert first
    assert (first.stream_id, first.error_code) == (refused, ErrorCodes.NO_ERROR)


def test_body_of_very_many_frames_that_was_refused_does_not_hold_its_connection(
    client: Http2,
) -> None:
    refused = client.begin(authorization="Basic x")
    for _ in range(2_000):
        client.frames.send_data(refused, b"x")
    client.flush()

    assert client.status(refused) == "401"
    assert client.post() == "202"


def test_who_takes_back_most_of_its_requests_is_sent_away(client: Http2) -> None:
    for _ in range(3 * MOST_RESETS):
        client.frames.reset_stream(client.begin(), ErrorCodes.CANCEL)
    client.flush()

    assert client.post() is None
    ends = [event for event in client.heard if isinstance(event, ConnectionTerminated)]
    assert [end.error_code for end in ends] == [ErrorCodes.ENHANCE_YOUR_CALM]


def test_who_takes_back_some_of_its_requests_goes_on(client: Http2) -> None:
    for _ in range(MOST_RESETS // 2):
        client.frames.reset_stream(client.begin(), ErrorCodes.CANCEL)
        assert client.post() == "202"
