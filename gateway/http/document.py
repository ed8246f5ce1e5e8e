"""What the OpenAPI document says beside what the code says by itself."""

from typing import Any

from fastapi import FastAPI

from gateway.http.bodies import NDJSON
from telemetry.encodings import CBOR
from telemetry.records import JSON

DESCRIPTION = """Readings of devices by HTTP. 202 means that Kafka (or the light stack's spool)
holds every message of the request. Anything else means that none was taken, but for a 503 with
`kept` above 0: there the store failed in the middle. Send the whole request again then, with the
same Idempotency-Key: a message with seq or ts counts once, however often it comes."""

Schema = dict[str, object]

MESSAGE: Schema = {
    "type": "object",
    "required": ["metrics"],
    "properties": {
        "v": {"type": "integer", "enum": [1]},
        "ts": {"type": "string", "format": "date-time"},
        "boot": {"type": "string"},
        "seq": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
        "metrics": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": ["number", "string", "boolean"]},
        },
        "lat": {"type": "number", "minimum": -90, "maximum": 90},
        "lng": {"type": "number", "minimum": -180, "maximum": 180},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "dependentRequired": {"lat": ["lng"], "lng": ["lat"]},
}
ACCEPTED: Schema = {
    "type": "object",
    "required": ["accepted", "durability"],
    "properties": {
        "accepted": {"type": "integer", "minimum": 0},
        "durability": {"type": "string", "enum": ["industrial", "consumer"]},
    },
}
FAULT: Schema = {
    "type": "object",
    "required": ["line", "item", "field", "rule", "value"],
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "item": {"type": "integer", "minimum": 0},
        "field": {"type": "string"},
        "rule": {"type": "string"},
        "value": {"type": "string"},
    },
}
REFUSED: Schema = {
    "type": "object",
    "required": ["reason", "text"],
    "properties": {
        "reason": {"type": "string"},
        "text": {"type": "string"},
        "limit": {"type": "string"},
        "retry_after_s": {"type": "number"},
        "kept": {
            "type": "integer",
            "minimum": 0,
            "description": "503: records (lines) that are durable",
        },
        "not_kept": {
            "type": "integer",
            "minimum": 1,
            "description": "503: records (lines) that nothing acknowledged",
        },
        "faults": {"type": "array", "items": FAULT},
    },
}
MEANINGS = {
    401: "who sends is not known, or its credential does not hold",
    403: "the device is another one's",
    408: "the body stopped in the middle: send all of it again",
    409: "the first request of this idempotency key ended without an answer: send it again",
    413: "the request or one of its messages is too large",
    415: "the form or the packing of the body is not known",
    422: "a message cannot be read: the line and the field; its bytes are in telemetry.dead",
    429: "more than a limit allows, or too many failed logins",
    503: "Kafka is slow or away: how many records were kept, 0 unless it failed in the middle",
}
RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 1}}}


def responses() -> dict[int | str, dict[str, object]]:
    """Return what each status of a POST means."""
    found: dict[int | str, dict[str, object]] = {
        202: {"description": "all messages are durable", "content": {JSON: {"schema": ACCEPTED}}}
    }
    for status, meaning in MEANINGS.items():
        found[status] = {"description": meaning, "content": {JSON: {"schema": REFUSED}}}
        if status in (409, 429, 503):
            found[status]["headers"] = RETRY
    return found


def telemetry_body() -> dict[str, object]:
    """Return the body's forms, and how a request says who sends it."""
    one_or_list = {"anyOf": [MESSAGE, {"type": "array", "items": MESSAGE, "minItems": 1}]}
    return {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": one_or_list},
                NDJSON[0]: {"schema": {"type": "string"}},
                CBOR: {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "security": [{"bearer": []}, {"basic": []}, {"certificate": []}],
    }


SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "basic": {"type": "http", "scheme": "basic"},
    "certificate": {"type": "mutualTLS"},
}


class Documented(FastAPI):
    """An application whose document says what the schemes are that its operations name."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        found = super().openapi()
        found.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        return found
