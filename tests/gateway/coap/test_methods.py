"""What a resource of CoAP does not do, and what is posted beside telemetry."""

from collections.abc import Iterator

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import CON

from tests.gateway.coap.test_wire import COMMANDS, TELEMETRY, Device, post
from tests.gateway.served import Served

PICTURE = ("devices", "d1", "picture")
BYTES = b"\xff\xd8"


@pytest.fixture
def device(served: Served) -> Iterator[Device]:
    made = Device(served)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("code", "path", "answered"),
    [
        (Code.GET, TELEMETRY, Code.METHOD_NOT_ALLOWED),
        (Code.DELETE, TELEMETRY, Code.METHOD_NOT_ALLOWED),
        (Code.FETCH, COMMANDS, Code.METHOD_NOT_ALLOWED),
        (Code(31), TELEMETRY, Code.METHOD_NOT_ALLOWED),
        (Code.GET, ("devices", "d2", "commands"), Code.FORBIDDEN),
        (Code.GET, ("devices",), Code.NOT_FOUND),
        (Code.GET, ("device", "d1", "telemetry"), Code.NOT_FOUND),
    ],
)
def test_method_that_a_resource_has_not_is_4_05(
    device: Device, code: Code, path: tuple[str, ...], answered: Code
) -> None:
    request = Message(code=code, uri_path=path, uri_query=("u=d1",))
    request.mtype, request.token = CON, b"m"

    assert device.asked(request).code == answered


@pytest.mark.parametrize(
    ("form", "media_type"),
    [(42, b"application/octet-stream"), (22, b"image/jpeg"), (9_999, b"application/octet-stream")],
)
def test_what_is_no_reading_may_have_any_form(device: Device, form: int, media_type: bytes) -> None:
    answers = []
    for path in (TELEMETRY, PICTURE):
        request = post(BYTES)
        request.opt.uri_path, request.opt.content_format = path, form
        answers.append(device.asked(request).code)

    assert answers == [Code.UNSUPPORTED_CONTENT_FORMAT, Code.CHANGED]
    (taken,) = device.outlet.taken
    assert (taken.topic, taken.value) == ("uplink", BYTES)
    assert (taken.headers["channel"], taken.headers["content_type"]) == (b"picture", media_type)
