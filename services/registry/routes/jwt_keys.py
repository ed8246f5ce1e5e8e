"""Keys of tokens: the algorithm is the key's, never the token's."""

import secrets
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.moments import SaidTime
from services.problems import Problem, conflict
from services.registry.bulk import check_tenant
from services.registry.products import has_product
from services.registry.served import Access, Admin, Viewer
from services.registry.store import Entry
from services.registry.tables import JWT_KEYS
from services.registry.words import Name, Pem, Words
from services.registry.x509 import check_public_key
from telemetry.changes import Algorithm, ChangeKey, JwtKeyBody
from telemetry.local_tokens import KEY_ID
from telemetry.sealing import Sealed, seal

router = APIRouter(prefix="/v1/jwt-keys", tags=["token keys"])


class JwtKeyIn(BaseModel):
    """Which tokens are believed; HS256 gets a secret that is made here, others a public key."""

    model_config = ConfigDict(extra="forbid")

    algorithm: Algorithm
    issuer: Words = Field(min_length=1)
    audience: Words = Field(min_length=1)
    public_key: Pem | None = None
    product: Name | None = None
    valid_until: SaidTime | None = None


class JwtKeyOut(JwtKeyIn):
    """A key of tokens; the secret of HS256 is shown once, when it was made."""

    kid: str
    edition: int
    secret: str | None = None


@router.get("")
def list_jwt_keys(access: Viewer) -> list[JwtKeyOut]:
    """List the keys whose tokens the tenant believes."""
    mine = JWT_KEYS.c.tenant == access.tenant
    with access.registry.store.reading() as reading:
        return [_out(one) for one in reading.entries("jwt_key", mine)]


@router.put("/{kid}")
def put_jwt_key(kid: Name, wanted: JwtKeyIn, access: Admin) -> JwtKeyOut:
    """Believe a key's tokens; HS256 gets a new secret each time."""
    if kid == KEY_ID:
        detail = f"{kid} names the key of this installation's own tools: take another name"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    secret = _secret(wanted)
    sealed = _sealed(access, kid, secret) if secret else None
    with access.writing() as writing:
        check_tenant(writing, access.tenant)
        known = writing.by_name("jwt_key", kid)
        if known and known.key.tenant != access.tenant:
            raise conflict(f"another tenant has a key {kid}: a token names no tenant")
        if wanted.product and not has_product(writing, access.tenant, wanted.product):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"there is no product {wanted.product!r}"
            )
        body = JwtKeyBody(**wanted.model_dump(), secret=sealed)
        writing.put(access.tenant, kid, body, "put")
        found = writing.get("jwt_key", access.tenant, kid)
        assert found is not None
    access.registry.wake()
    return _out(found).model_copy(update={"secret": secret})


@router.delete("/{kid}")
def remove_jwt_key(kid: Name, access: Admin) -> JwtKeyOut:
    """Believe a key's tokens no more."""
    found = access.entry("jwt_key", kid)
    with access.writing() as writing:
        writing.revoke([ChangeKey("jwt_key", access.tenant, kid)], "remove")
    access.registry.wake()
    return _out(found)


def _secret(wanted: JwtKeyIn) -> str | None:
    """Return a new secret for HS256; see that any other has its public key."""
    if (wanted.public_key is None) != (wanted.algorithm == "HS256"):
        detail = "HS256 has no public key, every other algorithm needs one"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if wanted.public_key is None:
        return secrets.token_urlsafe(32)
    check_public_key(wanted.public_key, wanted.algorithm)
    return None


def _sealed(access: Access, kid: str, secret: str) -> Sealed:
    context = ChangeKey("jwt_key", access.tenant, kid).encoded()
    return seal(secret.encode(), access.registry.ring, context)


def _out(found: Entry) -> JwtKeyOut:
    assert isinstance(found.body, JwtKeyBody)
    fields = {name: getattr(found.body, name) for name in JwtKeyIn.model_fields}
    return JwtKeyOut(kid=found.key.name, edition=found.edition, **fields)
