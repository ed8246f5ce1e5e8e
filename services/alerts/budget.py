"""How many messages a person gets: the last place is the digest's, the one before what is critical.

So a storm leaves room for the word on all of it, and for what does not wait.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from services.alerts.configuration import Limit

Use = Literal["digest", "critical", "other"]
RESERVED: dict[Use, int] = {"digest": 0, "critical": 1, "other": 2}
FEWEST = 3
"""A limit below this would leave nothing to what is not critical."""


def used(sent: Iterable[datetime], limit: Limit, now: datetime) -> int:
    """Return how many messages count against a limit now."""
    return sum(1 for at in sent if at > now - limit.within)


def admits(
    sent: Iterable[datetime], limit: Limit, use: Use, now: datetime, messages: int = 1
) -> bool:
    """Say whether a person may get so many messages more."""
    return used(sent, limit, now) + messages <= limit.messages - RESERVED[use]
