"""Reads the configuration; what is wrong in a file is named by its line, its place and its fix."""

import hashlib
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

import msgspec
import yaml

from edge.plain_yaml import plain_document
from services.alerts.assembling import Place, Wrong, assembled
from services.alerts.configuration import DAYS, Configuration, Kind
from services.alerts.configuration_form import (
    FIELDS,
    FileForm,
    Form,
    MuteForm,
    PersonForm,
    ReceiverForm,
)
from telemetry.alerts import SEVERITIES
from telemetry.errors import HeadwaterError

DEFAULT = Path(__file__).with_name("default.yaml")
_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_PARTS = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NAMED: dict[str, type[Form]] = {
    "receivers": ReceiverForm,
    "people": PersonForm,
    "mute_times": MuteForm,
}
_WORDS: dict[str, tuple[str, ...]] = {"kind": get_args(Kind), "days": DAYS}
_SPANS = {"after", "dedup", "digest_wait", "flap_within", "give_up", "group_interval", "group_wait",
          "repeat", "resolve_after", "timeout", "within"}  # fmt: skip
_F = TypeVar("_F")


class ConfigurationError(HeadwaterError):
    """The alerts' configuration does not hold."""


def read_configuration(path: Path) -> Configuration:
    """Read a file; the shipped one, which tells nobody, where there is none."""
    try:
        content = (path if path.exists() else DEFAULT).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_configuration(content, str(path))


def parse_configuration(content: bytes, name: str) -> Configuration:
    """Read a file's content; raise `ConfigurationError` with the first line that is wrong."""
    try:
        tree = yaml.compose(content, Loader=yaml.SafeLoader)
        said = plain_document(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"{name}: {' '.join(str(error).split())}") from error
    try:
        return assembled(_form(said), hashlib.sha256(content).hexdigest()[:16])
    except Wrong as error:
        shown = f"{name}, {_shown(tree, error.place)}: {error.reason}"
        raise ConfigurationError(shown) from error


def _form(said: object) -> FileForm:
    """Return the file's form; of a part that has a name, a mistake is told with it."""
    for section, form in _NAMED.items():
        items = said.get(section) if isinstance(said, dict) else None
        for name, one in items.items() if isinstance(items, dict) else ():
            _converted(one, form, (section, str(name)))
    return _converted(said, FileForm, ())


def _converted(said: object, form: type[_F], place: Place) -> _F:
    try:
        return msgspec.convert(said, form)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), place) from error


def _wrong(said: str, place: Place) -> Wrong:
    """Return place and reason of what msgspec says."""
    at = _AT.search(said)
    within = tuple(
        int(number) if number.isdigit() else key or number
        for key, number in _PARTS.findall(at[1] if at else "")
    )
    reason, unknown = _AT.sub("", said), _UNKNOWN.search(said)
    if not unknown:
        return Wrong((*place, *within), reason + _hint(reason, within))
    near = get_close_matches(unknown[1], FIELDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return Wrong((*place, *within, unknown[1]), f"there is no such field{hint}")


def _hint(reason: str, within: Place) -> str:
    """Return what to write instead, where a reason says but what is wrong."""
    if reason.startswith("Invalid enum value"):
        words = next((words for name, words in _WORDS.items() if name in within), SEVERITIES)
        return f"; there are: {', '.join(words)}"
    if reason.startswith("Expected `str") and _SPANS & set(within):
        return ": write a span of time, such as 30 s, 5 min or 4 h"
    return ""


def _shown(tree: yaml.Node | None, place: Sequence[str | int]) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"line {_line(tree, place)}, {words.lstrip('.') or 'the whole'}"


def _line(node: yaml.Node | None, place: Sequence[str | int]) -> int:
    """Return the line of a place, or of the nearest one around it that is there."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in place:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return key.start_mark.line + 1, value
    return None
