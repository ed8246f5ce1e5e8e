"""What Superset writes down of its use: who opened what, for the list of recent pages."""

from typing import Any

from superset.utils.log import DBEventLogger

SHOWN = {"mount_dashboard", "mount_explorer"}
"""What the home page lists."""
PAGE_SAYS = "log"


class Visits(DBEventLogger):  # type: ignore[misc] # it ships no types
    """Superset's own log without its other rows.

    It has three for every answer to a panel, each in a transaction of its own that a viewer waits
    for; and nothing ever removes one.
    """

    def log_with_context(self, action: str, *seen: Any, **more: Any) -> None:
        """Look at what a page says of itself, and at nothing else: looking has its price."""
        if action == PAGE_SAYS:
            super().log_with_context(action, *seen, **more)

    def log(self, user_id: int | None, action: str, *seen: Any, **more: Any) -> None:
        """Write down what the home page lists."""
        told = [each for each in more.get("records") or [] if each.get("event_name") in SHOWN]
        if told:
            super().log(user_id, action, *seen, **{**more, "records": told})
