"""Requests to the registry, and its problems as errors that name the fix."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TIMEOUT_S = 30.0
Json = Mapping[str, object]
Parameters = Mapping[str, str | int | bool | None]


class RegistryError(HeadwaterError):
    """The registry does not do what it was asked."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class RegistryClient:
    """Speaks with one registry as the holder of one key; each request has its own connection."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        self._key = key

    def ask(
        self, method: str, path: str, body: object = None, parameters: Parameters | None = None
    ) -> object:
        """Return the JSON that is answered; raise `RegistryError` if it is a problem."""
        content = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        with self._connected() as client:
            answer = client.request(
                method, path, content=content, headers=headers, params=_given(parameters)
            )
        return _found(answer)

    def lines(
        self, method: str, path: str, content: bytes | None, parameters: Parameters | None = None
    ) -> Iterator[Json]:
        """Yield the lines of JSON that are answered, as they come."""
        headers = {"Content-Type": "application/x-ndjson"} if content is not None else {}
        given = _given(parameters)
        with (
            self._connected() as client,
            client.stream(
                method, path, content=content, headers=headers, params=given, timeout=None
            ) as answer,
        ):
            if answer.is_error:
                answer.read()
                _found(answer)
            for line in answer.iter_lines():
                yield orjson.loads(line)

    @contextmanager
    def _connected(self) -> Iterator[httpx.Client]:
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            with httpx.Client(
                base_url=self._address, headers=headers, timeout=TIMEOUT_S, trust_env=False
            ) as client:
                yield client
        except httpx.HTTPError as error:
            raise HeadwaterError(
                f"the registry at {self._address} does not answer ({error}):"
                " see `headwater status` and `headwater logs registry`"
            ) from error


def open_client(settings: Settings) -> RegistryClient:
    """Return a client with the key of the settings, else with the first admin's of the home."""
    return RegistryClient(settings.registry_address, _key(settings))


def _key(settings: Settings) -> str:
    if settings.registry_key:
        return settings.registry_key.get_secret_value()
    path: Path = settings.registry_admin_key_file
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise HeadwaterError(
            f"no key for the registry: set HEADWATER_REGISTRY_KEY, or see that {path} is readable"
        ) from error


def _given(parameters: Parameters | None) -> dict[str, str | int | bool]:
    return {name: value for name, value in (parameters or {}).items() if value is not None}


def _found(answer: httpx.Response) -> object:
    if answer.is_success:
        return orjson.loads(answer.content)
    try:
        detail = str(orjson.loads(answer.content)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        detail = f"the registry answers {answer.status_code}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        detail = "the registry does not know this key: set HEADWATER_REGISTRY_KEY to another"
    raise RegistryError(answer.status_code, detail)
