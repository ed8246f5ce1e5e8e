"""Products and rules as files that people write: JSON or YAML."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from telemetry.errors import HeadwaterError

Declaration = Mapping[str, object]


def declarations(path: Path, kind: str) -> list[Declaration]:
    """Read one thing of a kind, or a list of them."""
    text = path.read_text("utf-8")
    try:
        found = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ValueError as error:
        raise HeadwaterError(f"{path}: {' '.join(str(error).split())}") from error
    items: list[Declaration] = found if isinstance(found, list) else [found]
    if not items or not all(isinstance(item, dict) for item in items):
        raise HeadwaterError(f'{path}: a {kind} is an object, {{"{kind}": …}}, or a list of them')
    return items


def _yaml(text: str) -> Declaration | list[Declaration]:
    yaml = import_module("yaml")
    try:
        found: Declaration | list[Declaration] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from error
    return found
