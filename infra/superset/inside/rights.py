"""Whether another process has changed what people may, as Superset's own commands do.

A look is some sums over small tables, less than a millisecond, and is shared by all who ask.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LOOK_S = 3.0
LINKS = {
    "ab_user_role": ("user_id", "role_id"),
    "ab_user_group": ("user_id", "group_id"),
    "ab_group_role": ("group_id", "role_id"),
    "ab_permission_view_role": ("permission_view_id", "role_id"),
    "rls_filter_roles": ("role_id", "rls_filter_id"),
    "rls_filter_tables": ("table_id", "rls_filter_id"),
}
"""Who has which role, what each lets do, and whose rows are filtered."""
CHANGED = ("row_level_security_filters", "tables", "slices")
"""What says of its rows when they were changed."""
STATEMENTS = (
    *(
        f"select count(*), max(id), sum(id), sum({one}), sum({one} * {other}) from {table}"  # noqa: S608
        for table, (one, other) in LINKS.items()
    ),
    *(f"select count(*), max(changed_on) from {table}" for table in CHANGED),  # noqa: S608
)


@dataclass(slots=True)
class Rights:
    """What people may, as it was at the last look; safe for several threads."""

    ask: Callable[[str], object]
    """Returns the rows that a statement finds in Superset's own database."""
    now: Callable[[], float] = time.monotonic
    _known: list[object] | None = None
    _looked_s: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def have_changed(self) -> bool:
        """Say whether they are others than at the look before; it looks every 3 s at most."""
        with self._lock:
            now = self.now()
            if self._looked_s is not None and now - self._looked_s < LOOK_S:
                return False
            before, self._known = self._known, [self.ask(each) for each in STATEMENTS]
            self._looked_s = now
            return before != self._known
