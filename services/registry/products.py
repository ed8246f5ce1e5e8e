"""Products in the store: put if compatible, and their secrets of dynamic registration."""

import secrets
from collections.abc import Sequence
from http import HTTPStatus

from sqlalchemy import delete, insert, select

from services.problems import Fault, Problem, not_found
from services.registry.store import Entry, Reading, Writing
from services.registry.tables import KIND_TABLES, PRODUCT_SECRETS
from telemetry.changes import ChangeKey, ProductBody
from telemetry.compatibility import Break, evolution_breaks
from telemetry.products import DEFAULT_PRODUCT, Product, product_to_dict
from telemetry.sealing import KeyRing, Sealed, seal, unseal


def listed(reading: Reading, tenant: str) -> Sequence[Entry]:
    """Return a tenant's products."""
    return reading.entries("product", KIND_TABLES["product"].c.tenant == tenant)


def breaks(reading: Reading, declared: Product) -> list[Break]:
    """Return what a declaration would break."""
    found = reading.get("product", declared.tenant, declared.key)
    before = found.body.product() if found and isinstance(found.body, ProductBody) else None
    return evolution_breaks(before, declared)


def put(writing: Writing, declared: Product) -> Entry:
    """Put a product in force, or answer what it would break."""
    if writing.get("tenant", declared.tenant, declared.tenant) is None:
        raise not_found("tenant", declared.tenant)
    if found := breaks(writing, declared):
        raise Problem(
            HTTPStatus.CONFLICT,
            f"product {declared.key} is not {declared.compatibility}: {found[0]}",
            errors=[
                Fault(where=f"versions.{one.version}.{one.metric}".rstrip("."), reason=str(one))
                for one in found
            ],
        )
    return put_unheld(writing, declared)


def put_unheld(writing: Writing, declared: Product) -> Entry:
    """Put a product in force without asking what it breaks."""
    body = ProductBody(product_to_dict(declared))
    known = writing.get("product", declared.tenant, declared.key)
    if known is None or known.body != body:
        writing.put(declared.tenant, declared.key, body, "change" if known else "add")
        known = writing.get("product", declared.tenant, declared.key)
    assert known is not None
    return known


def has_product(reading: Reading, tenant: str, product: str) -> bool:
    """Say whether devices of a product may be enrolled; every tenant has `default`."""
    is_default = product == DEFAULT_PRODUCT.key
    return is_default or reading.get("product", tenant, product) is not None


def open_registration(writing: Writing, ring: KeyRing, tenant: str, product: str) -> str:
    """Make a product's secret, in the place of one that it has; return it."""
    secret = secrets.token_hex(16)
    close_registration(writing, tenant, product)
    sealed = seal(secret.encode(), ring, _context(tenant, product))
    row = {"tenant": tenant, "product": product, "created_at": writing.now}
    row["secret"] = {
        "key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "sealed": sealed.sealed
    }  # fmt: skip
    writing.connection.execute(insert(PRODUCT_SECRETS).values(row))
    writing.note(ChangeKey("product", tenant, product), "open registration")
    return secret


def close_registration(writing: Writing, tenant: str, product: str) -> bool:
    """Forget a product's secret; return whether it had one."""
    table = PRODUCT_SECRETS
    mine = (table.c.tenant == tenant) & (table.c.product == product)
    was_open = writing.connection.execute(delete(table).where(mine)).rowcount > 0
    if was_open:
        writing.note(ChangeKey("product", tenant, product), "close registration")
    return was_open


def registration_secret(reading: Reading, ring: KeyRing, tenant: str, product: str) -> bytes | None:
    """Return a product's secret, None if its devices may not register themselves."""
    table = PRODUCT_SECRETS
    mine = (table.c.tenant == tenant) & (table.c.product == product)
    found = reading.connection.execute(select(table.c.secret).where(mine)).scalar()
    return unseal(Sealed(**found), ring, _context(tenant, product)) if found else None


def _context(tenant: str, product: str) -> bytes:
    return f"product_secret/{tenant}/{product}".encode()
