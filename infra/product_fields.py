"""Fields of a product's declaration: one that nobody reads leaves its default in force unsaid."""

from collections.abc import Iterator, Mapping

from infra.close_names import unknown
from infra.declaration_files import Declaration
from telemetry.errors import ProductError

FIELDS = (
    *("product", "tenant", "lateness", "max_age", "retention", "dedup_horizon", "versions"),
    *("sliding", "session_gap", "compatibility"),
)
VERSION_FIELDS = ("version", "metrics")
SLIDING_FIELDS = ("width", "every")


def check_fields(declaration: Declaration) -> None:
    """Raise for a field that a product, its versions or sliding windows do not have."""
    for kind, known, fields in _given(declaration):
        for name in fields:
            if name not in known:
                fix = f"there are {', '.join(known)}"
                said = unknown(f"field of {kind}", str(name), known, fix)
                raise ProductError(f"product {declaration['product']}: {said}")


def _given(declaration: Declaration) -> Iterator[tuple[str, tuple[str, ...], Declaration]]:
    yield "a product", FIELDS, declaration
    versions = declaration.get("versions")
    for version in versions if isinstance(versions, list) else []:
        yield "a version", VERSION_FIELDS, version
    sliding = declaration.get("sliding")
    if isinstance(sliding, Mapping):
        yield "sliding windows", SLIDING_FIELDS, sliding
