"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `missing` keeps the stack from starting."""

    subject: str
    verdict: Verdict
    found: str
    fix: str = ""
