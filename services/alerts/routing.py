"""The route tree: which routes an alert takes, and which group it joins in each."""

from collections.abc import Iterator
from typing import NamedTuple

from services.alerts.configuration import Route
from services.alerts.matching import Subject, label


class GroupKey(NamedTuple):
    """Alerts of one tenant that one route tells together: equal in what it groups by."""

    tenant: str
    path: str
    values: tuple[str, ...]


def routes_of(route: Route, subject: Subject) -> tuple[Route, ...]:
    """Return the deepest routes that fit, from the first on; the next one only if it goes on."""
    if not route.match.fits(subject):
        return ()
    found: list[Route] = []
    for child in route.routes:
        taken = routes_of(child, subject)
        found += taken
        if taken and not child.goes_on:
            break
    return tuple(found) or (route,)


def group_key(route: Route, subject: Subject) -> GroupKey:
    """Return the group that an alert joins in a route."""
    values = tuple(label(subject, name) for name in route.group_by)
    return GroupKey(subject.tenant, route.path, values)


def every_route(route: Route) -> Iterator[Route]:
    """Yield a tree's routes, the root first."""
    yield route
    for child in route.routes:
        yield from every_route(child)
