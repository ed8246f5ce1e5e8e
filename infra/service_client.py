"""Requests to a service of the stack, and its problems as errors that name the fix."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from edge.outboxes import stack_mode
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TIMEOUT_S = 30.0
Json = Mapping[str, object]
Parameters = Mapping[str, str | int | bool | None]


class ServiceError(HeadwaterError):
    """A service does not do what it was asked."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class ServiceClient:
    """Speaks with one service as the holder of one key; each request has its own connection."""

    def __init__(self, service: str, address: str, key: str) -> None:
        self._service = service
        self._address = address
        self._key = key

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        parameters: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        """Return the JSON that is answered; raise `ServiceError` if it is a problem."""
        content = None if body is None else orjson.dumps(body)
        kind = {"Content-Type": "application/json"} if content else {}
        with self._connected() as client:
            answer = client.request(
                method,
                path,
                content=content,
                headers={**kind, **(headers or {})},
                params=_given(parameters),
            )
        return _found(self._service, answer)

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
                _found(self._service, answer)
            for line in _lines(answer.iter_bytes()):
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
                f"{self._service} at {self._address} does not answer ({error}):"
                f" see `headwater status` and `headwater logs {self._service}`"
            ) from error


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut at newlines alone: httpx would at what a text may hold too, such as U+2028."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def open_registry(settings: Settings) -> ServiceClient:
    """Return a client of the registry."""
    return ServiceClient("registry", settings.registry_address, _key(settings))


def open_alerts(settings: Settings) -> ServiceClient:
    """Return a client of the alerts service."""
    address = f"http://127.0.0.1:{settings.port('alerts')}"
    return ServiceClient("alerts", address, _key(settings))


def open_queries(settings: Settings, address: str | None = None) -> ServiceClient:
    """Return a client of the query service of the home, or of the one at an address."""
    address = address or f"http://127.0.0.1:{settings.port('query')}"
    if settings.registry_key or stack_mode(settings) == "full":
        return ServiceClient("query", address, _key(settings))
    path = settings.query_key_file
    try:
        return ServiceClient("query", address, path.read_text("utf-8").strip())
    except OSError as error:
        raise HeadwaterError(
            f"no API key: set HEADWATER_REGISTRY_KEY, or see that {path} is readable;"
            " the query service makes it at its first start"
        ) from error


def _key(settings: Settings) -> str:
    """Return the key of the settings, else the first admin's of the home."""
    if settings.registry_key:
        return settings.registry_key.get_secret_value()
    path: Path = settings.registry_admin_key_file
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise HeadwaterError(_why_no_key(settings)) from error


def _why_no_key(settings: Settings) -> str:
    """Say why a home has no first admin's key; raise where no stack was ever started."""
    if stack_mode(settings) == "light":
        return "the light stack has no registry and no alerts service: `headwater up` starts both"
    path = settings.registry_admin_key_file
    return f"no API key: set HEADWATER_REGISTRY_KEY, or see that {path} is readable"


def _given(parameters: Parameters | None) -> dict[str, str | int | bool]:
    return {name: value for name, value in (parameters or {}).items() if value is not None}


def _found(service: str, answer: httpx.Response) -> object:
    if answer.is_success:
        return orjson.loads(answer.content)
    try:
        detail = str(orjson.loads(answer.content)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        detail = f"{service} answers {answer.status_code}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        detail = f"{service} does not know this key: set HEADWATER_REGISTRY_KEY to another"
    raise ServiceError(answer.status_code, detail)
