"""Answers of every service to what cannot be done, as RFC 9457 describes problems."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from telemetry.errors import HeadwaterError

MEDIA_TYPE = "application/problem+json"
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of a request: all of one is read before it is asked who sends it. What is kept is less."""
FAILED = "the service failed at this; its log says why"


class Fault(BaseModel):
    """What is wrong with one field or line."""

    where: str
    reason: str


class ProblemDetails(BaseModel):
    """A problem, RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class Problem(Exception):
    """A request that cannot be answered as it was asked."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def wait(status: HTTPStatus, detail: str, retry_after_s: float) -> Problem:
    """Say which limit was met, and in how many seconds to try again."""
    return Problem(status, detail, headers={"Retry-After": str(max(1, ceil(retry_after_s)))})


def not_found(kind: str, name: str) -> Problem:
    """Say that there is no such thing."""
    return Problem(HTTPStatus.NOT_FOUND, f"there is no {kind} {name!r}")


EXAMPLES = {
    HTTPStatus.UNAUTHORIZED: "a key or a token is needed: Authorization: Bearer …",
    HTTPStatus.FORBIDDEN: "this key is not of tenant acme",
    HTTPStatus.NOT_FOUND: "there is no device 'meter.m1'",
    HTTPStatus.UNPROCESSABLE_ENTITY: "query.points: Input should be less than or equal to 10000",
    HTTPStatus.TOO_MANY_REQUESTS: "more than 50 requests a second of this caller:"
    " limit requests_per_second",
}
"""What a problem says, for documents."""


def not_believed(given: str, scope: str) -> Problem:
    """Say that a key or token is needed, or what may be wrong with the one that was given."""
    detail = "a key or a token is needed: Authorization: Bearer …"
    if given:
        detail = (
            "this key or token is not believed: it is unknown, revoked or past its time; or a token"
            f" of another issuer, audience or algorithm, or without {scope!r} in its claim scope"
        )
    return Problem(HTTPStatus.UNAUTHORIZED, detail)


def conflict(detail: str) -> Problem:
    """Say what stands against it."""
    return Problem(HTTPStatus.CONFLICT, detail)


def answer(status: int, detail: str, errors: Sequence[Fault] = ()) -> JSONResponse:
    """Return a problem as a response."""
    title = HTTPStatus(status).phrase
    body = ProblemDetails(title=title, status=status, detail=detail, errors=list(errors))
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def problem_response(problem: Problem) -> JSONResponse:
    """Return a problem as a response, with its headers."""
    said = answer(problem.status, problem.detail, problem.errors)
    said.headers.update(problem.headers)
    return said


def faults_of(errors: Iterable[Mapping[str, Any]], *within: str) -> list[Fault]:
    """Return what pydantic found wrong; `within` is where it looked."""
    return [
        Fault(where=".".join(str(part) for part in (*within, *one["loc"])), reason=one["msg"])
        for one in errors
    ]


def answer_problems(app: FastAPI) -> None:
    """Make the application answer every error as a problem."""

    @app.exception_handler(Problem)
    def _problem(_request: Request, problem: Problem) -> JSONResponse:
        return problem_response(problem)

    @app.exception_handler(HeadwaterError)
    def _mendable(_request: Request, error: HeadwaterError) -> JSONResponse:
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        faults = faults_of(error.errors())
        first = f"{faults[0].where}: {faults[0].reason}"
        return answer(HTTPStatus.UNPROCESSABLE_ENTITY, first, faults)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        said = answer(error.status_code, str(error.detail))
        said.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            said.headers["Allow"] = ", ".join(_allowed(app, request.scope))
        return said

    @app.exception_handler(Exception)
    def _failed(_request: Request, _error: Exception) -> JSONResponse:
        return answer(HTTPStatus.INTERNAL_SERVER_ERROR, FAILED)


def _allowed(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods of a path: by itself the error names those of its first route alone."""

    def is_taken(method: str) -> bool:
        asked = {**scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in app.routes)

    return [method for method in METHODS if is_taken(method)]


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """Return how OpenAPI describes problems of these statuses."""
    return {
        status.value: {"description": status.phrase, "model": ProblemDetails} for status in statuses
    }


RESPONSES = described(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
"""What every route may answer beside its own."""
TOO_LARGE = described(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""What every route of a service may answer that takes bodies within a bound."""


def _example(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    detail = EXAMPLES.get(HTTPStatus(status), title)
    return ProblemDetails(title=title, status=status, detail=detail, errors=[]).model_dump()


def describe_problems(app: FastAPI) -> None:
    """Make the application's document name the media type that problems have."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            operations = [way for path in plain()["paths"].values() for way in path.values()]
            for status, said in (each for way in operations for each in way["responses"].items()):
                if status >= "400" and "application/json" in said.get("content", {}):
                    described = said["content"].pop("application/json")
                    said["content"][MEDIA_TYPE] = {**described, "example": _example(int(status))}
        return plain()

    app.openapi = document  # type: ignore[method-assign]
