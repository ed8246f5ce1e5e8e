"""Shapes of an OpenAPI document: a word where they are named, a table where they are explained."""

from collections.abc import Iterator, Mapping
from typing import Any

from docs.making.markdown import anchor, cell, table

Schema = Mapping[str, Any]
_BOUNDS = (
    ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"),
    ("minLength", "length ≥"), ("maxLength", "length ≤"), ("minItems", "items ≥"),
    ("maxItems", "items ≤"), ("pattern", "matches"),
)  # fmt: skip


def kind(schema: Schema) -> str:
    """Return what a value is: a type, words, or the name of a model with a link to it."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            parts = [kind(each) for each in schema[choice] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(parts))
    if words := schema.get("enum") or ("const" in schema and [schema["const"]]):
        return ", ".join(f"`{word}`" for word in words)
    return _of_type(schema)


def _of_type(schema: Schema) -> str:
    named = schema.get("type", "any")
    if isinstance(named, list):
        return " or ".join(named)
    if named == "array":
        return f"list of {kind(schema.get('items', {}))}"
    values = schema.get("additionalProperties")
    if named == "object" and isinstance(values, dict) and values:
        return f"object of {kind(values)}"
    return str(schema.get("format", named))


def notes(schema: Schema) -> Iterator[str]:
    """Yield the bounds of a value, and its default."""
    for part in (schema, *schema.get("anyOf", ())):
        yield from (f"{sign} {part[name]}" for name, sign in _BOUNDS if name in part)
    if schema.get("default") is not None:
        yield f"default {schema['default']}"


def models(document: Schema) -> Iterator[str]:
    """Yield a section for each model that is not a bare list of errors."""
    schemas = document.get("components", {}).get("schemas", {})
    if schemas:
        yield "## Shapes\n"
    for name, schema in sorted(schemas.items()):
        yield f"### {name}\n\n{' '.join(schema.get('description', '').split())}\n"
        if "properties" in schema:
            rows = [_field(schema, *each) for each in schema["properties"].items()]
            yield table(("field", "kind", "meaning"), rows)
        else:
            yield f"{kind(schema)}\n"


def _field(schema: Schema, name: str, value: Schema) -> list[str]:
    is_required = name in schema.get("required", ())
    said = [value.get("description", ""), *notes(value), "" if is_required else "may be absent"]
    return [f"`{name}`", kind(value), cell("; ".join(part for part in said if part))]
