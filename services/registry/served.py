"""What every route acts on, and for whom: the registry's parts and the caller's access."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.callers import Caller
from services.problems import Problem, not_found
from services.registry.keys import caller
from services.registry.store import Entry, Store, Writing
from services.registry.words import Name
from telemetry.changes import ALL_TENANTS, Kind, Role
from telemetry.sealing import KeyRing

BEARER = HTTPBearer(auto_error=False, description="An API key: hw_….")
DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Registry:
    """The parts that routes act on."""

    store: Store
    ring: KeyRing
    now: Callable[[], datetime]
    wake: Callable[[], None]
    """Tells the follower that there is something to publish."""
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class Access:
    """A caller who may do what the route asks, in one tenant."""

    registry: Registry
    caller: Caller
    tenant: str

    def writing(self) -> AbstractContextManager[Writing]:
        """Write as the caller."""
        return self.registry.store.writing(self.caller.actor, self.registry.now())

    def entry(self, kind: Kind, name: str) -> Entry:
        """Return what is in force in the tenant, or answer that it is not there."""
        with self.registry.store.reading() as reading:
            found = reading.get(kind, self.tenant, name)
        if found is None:
            raise not_found(kind.replace("_", " "), name)
        return found


def registry(request: Request) -> Registry:
    """Return the application's registry."""
    served = request.app.state.registry
    assert isinstance(served, Registry)
    return served


Served = Annotated[Registry, Depends(registry)]


def known_caller(
    served: Served,
    given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Caller:
    """Return whose key the request carries."""
    found = given and caller(served.store, given.credentials, served.now())
    if not found:
        raise Problem(HTTPStatus.UNAUTHORIZED, "an API key is needed: Authorization: Bearer hw_…")
    return found


KnownCaller = Annotated[Caller, Depends(known_caller)]


def access(role: Role) -> Callable[[Registry, Caller, str | None], Access]:
    """Return the dependency of routes that need a role."""

    def checked(served: Served, who: KnownCaller, tenant: Name | None = None) -> Access:
        own = DEFAULT_TENANT if who.tenant == ALL_TENANTS else who.tenant
        wanted = tenant or own
        if not who.may_see(wanted):
            raise Problem(HTTPStatus.FORBIDDEN, f"this key is not of tenant {wanted}")
        if not who.may(role, wanted):
            raise Problem(
                HTTPStatus.FORBIDDEN, f"this needs a key of role {role}; this one is {who.role}"
            )
        return Access(served, who, wanted)

    return checked


Viewer = Annotated[Access, Depends(access("viewer"))]
Operator = Annotated[Access, Depends(access("operator"))]
Admin = Annotated[Access, Depends(access("admin"))]


def installation_admin(served: Served, who: KnownCaller) -> Access:
    """Let only an admin pass who stands above the tenants."""
    if not who.may("admin", ALL_TENANTS):
        raise Problem(HTTPStatus.FORBIDDEN, "this needs an admin's key that is of no one tenant")
    return Access(served, who, ALL_TENANTS)


InstallationAdmin = Annotated[Access, Depends(installation_admin)]
