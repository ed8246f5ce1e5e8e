"""Answers to paths and methods that the gateway has not, in the form of every refusal."""

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from telemetry.records import JSON

TEXTS = {
    404: "there is nothing here: POST /devices/{device}/telemetry",
    405: "this path does not take the method; Allow names those that it takes",
}
READING = {"GET", "HEAD"}
REASONS = {404: "topic", 405: "method"}


def answer_missing(app: FastAPI) -> None:
    """Have the application answer them with a reason."""

    @app.exception_handler(HTTPException)
    async def missing(_request: Request, error: HTTPException) -> Response:
        status, headers = error.status_code, dict(error.headers or {})
        if "Allow" in headers:
            headers["Allow"] = _allowed(headers["Allow"])
        told = {
            "reason": REASONS.get(status, "undecodable"),
            "text": TEXTS.get(status, error.detail),
        }
        return Response(orjson.dumps(told), status, headers, media_type=JSON)


def _allowed(said: str) -> str:
    """Return the methods of a path, whose GET and HEAD are routes of their own."""
    methods = {each.strip() for each in said.split(",")}
    return ", ".join(sorted(methods | READING if methods & READING else methods))
