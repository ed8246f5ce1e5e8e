"""Errors that a person can answer: each message names the fix."""

from pathlib import Path


class HeadwaterError(Exception):
    """Something that the user can mend."""


class WrongUseError(HeadwaterError):
    """Words of a command that are missing, or do not go together: exit code 2."""


class ProductError(HeadwaterError):
    """A product's declaration does not hold."""


class DeviceError(HeadwaterError):
    """A device's declaration does not hold."""


class RuleError(HeadwaterError):
    """A rule's declaration does not hold."""


class SettingsError(HeadwaterError):
    """A setting, or two together, cannot work."""


def one_line(error: Exception) -> str:
    """Return an error in a line: what a person can mend by itself, anything else as a defect."""
    from pydantic import ValidationError  # workers of Spark do without

    if isinstance(error, HeadwaterError):
        return str(error)
    if isinstance(error, ValidationError) and error.title == "Settings":
        problem = error.errors()[0]
        name = "_".join(str(part) for part in problem["loc"]).upper()
        why = problem["msg"].removeprefix("Value error, ")
        return f"HEADWATER_{name}={str(problem['input'])!r}: {why}"
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str | Path):
        return f"{error.filename}: {error.strerror}"
    reason = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {reason} (a defect: --debug shows where)"
