"""Products and rules as files that people write: JSON or YAML."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from telemetry.errors import HeadwaterError

Declaration = Mapping[str, object]


def declarations(path: Path, kind: str) -> list[Declaration]:
    """Read one thing of a kind, a list of them, or a file of several YAML documents."""
    text = text_of(path)
    try:
        found = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ValueError as error:
        raise HeadwaterError(f"{path}: {' '.join(str(error).split())}") from error
    items: list[Declaration] = found if isinstance(found, list) else [found]
    if not items or not all(isinstance(item, dict) for item in items):
        raise HeadwaterError(f'{path}: a {kind} is an object, {{"{kind}": …}}, or a list of them')
    return items


def text_of(path: Path) -> str:
    """Return a file's text, without the mark that some editors put before it."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HeadwaterError(
            f"{path} is no text in UTF-8 (byte {error.start + 1}): save it as UTF-8"
        ) from error


def _yaml(text: str) -> Declaration | list[Declaration]:
    from edge.plain_yaml import plain_documents  # JSON does without

    found = [each for each in plain_documents(text) if each is not None]
    documents = cast(list[Declaration | list[Declaration]], found)
    if len(documents) == 1:
        return documents[0]
    return [item for each in documents for item in (each if isinstance(each, list) else [each])]
