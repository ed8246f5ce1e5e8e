"""Examples of what is asked and answered, for the OpenAPI document."""

from typing import Any

from fastapi import FastAPI

START, END = "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"
PARAMETERS: dict[str, object] = {
    "device_id": "meter.m1",
    "metric": "kwh",
    "zone": "harbour",
    "product": "meter",
    "start": START,
    "end": END,
    "by": "zone",
    "width": "minute",
}
_RAW = {"tier": "raw", "table": "silver.readings", "start": START, "end": END}
_MINUTES = {"tier": "minute", "table": "gold.zone_minute", "start": START, "end": END}
_RANGE = {"tenant": "default", "start": START, "end": END, "truncated": False}
_TIERS = ["gold.device_day", "silver.readings", "silver.late"]
_NOW = {"tenant": "default", "resolution": "raw", "method": "latest", "truncated": False,
        "tiers": _TIERS,
        "complete_until": "2026-11-21T08:00:55Z"}  # fmt: skip
_LAST = {"device_id": "meter.m1", "product": "meter", "zone": "harbour", "metric": "kwh",
         "time": "2026-11-21T08:00:58.250000Z", "value": 21.5}  # fmt: skip
_PLACE = {"lat": 53.545, "lng": 9.968, "time": "2026-11-21T08:00:58.250000Z"}
_ONE = {"points_in": 1, "points_out": 1}
_LISTED = {**_NOW, **_ONE, "tiers": [*_TIERS, "dim.devices"]}
ANSWERS: dict[str, dict[str, object]] = {
    "/v1/query": {
        **_RANGE, "device_id": "meter.m1", "metric": "kwh", "type": "number", "resolution": "raw",
        "method": "minmax", "bucket_s": 172.8, "points_in": 5760, "points_out": 1000,
        "tiers": [_RAW], "complete_until": "2026-11-22T08:00:00Z",
        "points": [{"time": "2026-11-21T00:00:15.000000Z", "value": 20.25}],
    },
    "/v1/latest": {**_NOW, **_ONE, "points": [_LAST]},
    "/v1/devices/{device_id}/metrics": {**_NOW, **_ONE, "points": [_LAST]},
    "/v1/aggregate": {
        **_RANGE, "by": "zone", "metric": "kwh", "resolution": "minute", "method": "mean",
        "bucket_s": 1800.0, "points_in": 11682, "points_out": 1, "tiers": [_MINUTES],
        "complete_until": "2026-11-22T08:00:00Z",
        "points": [{"zone": "harbour", "time": START, "value": 21.5, "count": 11682}],
    },
    "/v1/windows": {
        **_RANGE, "resolution": "minute", "method": "windows", "points_in": 583, "points_out": 1,
        "tiers": [_MINUTES], "complete_until": "2026-11-22T08:00:00Z",
        "points": [{"zone": "harbour", "product": "meter", "metric": "kwh", "window_start": START,
                    "window_end": "2026-11-21T00:01:00Z", "is_final": True, "count": 583,
                    "sum": 12534.5, "mean": 21.5, "stddev": 0.5, "min": 20.0, "max": 23.0,
                    "first": 21.0, "last": 22.0}],
    },
    "/v1/devices": {
        **_LISTED,
        "points": [{"device_id": "meter.m1", "product": "meter", "zone": "harbour", "metrics": 3,
                    **_PLACE}],
    },
    "/v1/zones": {
        **_LISTED,
        "points": [{"zone": "harbour", "devices": 13, **_PLACE}],
    },
}  # fmt: skip
_EVENT = {
    "event": "latest",
    "id": "5c1e.42",
    "data": '{"type":"latest","whole":true,"skipped":0,"cursor":"5c1e.42","rows":[]}',
}


def give_examples(app: FastAPI) -> None:
    """Put the examples into the application's document."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path, ways in plain()["paths"].items():
                for way in ways.values():
                    _describe(path, way)
        return plain()

    app.openapi = document  # type: ignore[method-assign]


def _describe(path: str, way: dict[str, Any]) -> None:
    for parameter in way.get("parameters", []):
        if parameter["name"] in PARAMETERS:
            parameter["example"] = PARAMETERS[parameter["name"]]
    contents = way["responses"]["200"].get("content", {})
    if path in ANSWERS:
        contents["application/json"]["example"] = ANSWERS[path]
    if "text/event-stream" in contents:
        contents["text/event-stream"]["example"] = _EVENT
