"""Parameters that a route does not have, or has once: refused, since they change the question."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from http import HTTPStatus

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from services.problems import Fault, Problem

MOST_FAULTS, ALIKE = 10, 0.5


def names_of(asked: Dependant) -> set[str]:
    """Return the query parameters that a route and all that it depends on take."""
    found = set[str]().union(*(names_of(each) for each in asked.dependencies))
    for field in asked.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {each.alias or name for name, each in kind.model_fields.items()}
        else:
            found.add(field.alias)
    return found


def names_given(asked: HTTPConnection) -> list[str]:
    """Return the names of the parameters of a request, each as often as it is given."""
    return [name for name, _ in asked.query_params.multi_items()]


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Answer which parameters there are not, each with the one that may have been meant.

    One that is given twice is refused too: which of both is meant, nobody knows.
    """
    faults, seen = list[Fault](), set[str]()
    for name in given:
        if name not in known or name in seen:
            reason = "is given twice" if name in seen else _nearest(name, known)
            faults.append(Fault(where=f"query.{name}", reason=reason))
        if len(faults) == MOST_FAULTS:
            break
        seen.add(name)
    if faults:
        first = f"{faults[0].where}: {faults[0].reason}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=faults)


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name.casefold(), known, 1, ALIKE)
    said = "there is no such parameter; "
    there = f"there are {', '.join(sorted(known))}"
    return f"{said}did you mean {near[0]!r}? ({there})" if near else said + there
