"""Names that a person may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, known: Iterable[str], fix: str) -> str:
    """Return the sentence for a name that is not known: the nearest ones, else the fix."""
    by_fold = {found.casefold(): found for found in known}
    near = get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)
    if near:
        return f"there is no {kind} {name!r}; did you mean {', '.join(by_fold[n] for n in near)}?"
    if 0 < len(by_fold) <= 10:
        return f"there is no {kind} {name!r}; there are {', '.join(sorted(by_fold.values()))}"
    return f"there is no {kind} {name!r}; {fix}"
