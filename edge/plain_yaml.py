"""YAML as people mean it: `22:00` is a time of day, `10:11:22` a name: no numbers to base sixty.

YAML 1.1, which the library reads, has `22:00` be 1320; 1.2 has no such numbers any more.
"""

import re
from collections.abc import Iterator

import yaml

_TEXT = "tag:yaml.org,2002:str"
_SIXTIES = re.compile(r"^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.\d*)?$")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers
_Plain = type(
    "_Plain",
    (yaml.SafeLoader,),
    {
        "yaml_implicit_resolvers": _RESOLVERS
        | {sign: [(_TEXT, _SIXTIES), *_RESOLVERS.get(sign, [])] for sign in "+-0123456789"}
    },
)


def plain_documents(content: str | bytes) -> Iterator[object]:
    """Yield the documents of a file; raise `ValueError` for what is no YAML."""
    try:
        yield from yaml.load_all(content, Loader=_Plain)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def plain_document(content: str | bytes) -> object:
    """Return the one document of a file; raise `ValueError` for no YAML, or for several."""
    try:
        return yaml.load(content, Loader=_Plain)  # noqa: S506 - it is a safe one
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
