"""The page of settings, from telemetry/settings.py."""

from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.making.markdown import cell, table
from telemetry.settings import PORT_NAMES, Settings

HEAD = """# Settings

Made from `telemetry/settings.py` by `make docs`; edit that.

Every process reads them from its environment: `HEADWATER_PORT_BASE=18100 headwater up`. Each
default runs on one machine. `headwater up` hands what differs on to all that it starts.
"""
PREFIX = "HEADWATER_"


def settings_page() -> str:
    """Return the whole page."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    ports = [
        [f"`{name}`", str(Settings.model_fields["port_base"].default + number)]
        for number, name in enumerate(PORT_NAMES)
    ]
    return "\n".join(
        (
            HEAD,
            table(("variable", "kind", "default", "meaning"), rows),
            "## Ports\nThey count up from `HEADWATER_PORT_BASE`; these are the defaults.\n",
            table(("what listens", "port"), ports),
        )
    )  # fmt: skip


def _row(name: str, field: FieldInfo) -> list[str]:
    variable = field.validation_alias or f"{PREFIX}{name.upper()}"
    return [f"`{variable}`", _kind(field), _default(field.default), cell(field.description or "")]


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _kind(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(rule, name):,}"
        for rule in field.metadata
        for name, sign in (("gt", ">"), ("ge", "≥"), ("le", "≤"))
        if getattr(rule, name, None) is not None
    ]
    return ", ".join((" or ".join(_words(field.annotation)), *bounds))


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is UnionType:
        for each in get_args(annotation):
            yield from _words(each)
    elif get_origin(annotation) is Literal:
        yield from (f"`{each}`" for each in get_args(annotation))
    elif annotation is SecretStr:
        yield "secret"
    elif annotation is not type(None):
        yield {"Path": "path", "str": "text", "int": "whole number", "float": "number",
               "bool": "`true` or `false`"}[annotation.__name__]  # fmt: skip
