"""Another device's path: refused before anything else is looked at."""

from collections.abc import AsyncIterator

import httpx

from tests.gateway.entrances import MESSAGE, house
from tests.gateway.http.test_app import PATH, answers

KEY = {"Idempotency-Key": "k1"}
OTHER = "/devices/d2/telemetry"


def test_body_for_another_device_is_not_even_asked_for() -> None:
    asked: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield MESSAGE

    one = house(is_anonymous=True)
    answer = answers(one, lambda client: client.post(OTHER, content=body()))

    assert (answer.status_code, answer.json()["reason"]) == (403, "not_authorised")
    assert asked == []
    assert one.entrance.counters.value("rejected", reason="not_authorised") == 1


def test_key_gives_no_answer_of_before_on_another_devices_path() -> None:
    async def both(client: httpx.AsyncClient) -> httpx.Response:
        first = await client.post(PATH, content=MESSAGE, headers=KEY)
        assert first.status_code == 202
        return await client.post(OTHER, content=MESSAGE, headers=KEY)

    assert answers(house(is_anonymous=True), both).status_code == 403
