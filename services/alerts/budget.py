"""How many messages a person gets: two places are the digest's, one is for what is critical.

So a storm leaves room for what does not wait, for the word on all of it, and for its end.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from services.alerts.configuration import Limit

Use = Literal["digest", "critical", "other"]
RESERVED: dict[Use, int] = {"digest": 0, "critical": 2, "other": 3}
FEWEST = 4
"""A limit below this would leave nothing to what is not critical."""


def used(sent: Iterable[datetime], limit: Limit, now: datetime) -> int:
    """Return how many messages count against a limit now."""
    return sum(1 for at in sent if at > now - limit.within)


def admits(
    sent: Iterable[datetime], limit: Limit, use: Use, now: datetime, messages: int = 1
) -> bool:
    """Say whether a person may get so many messages more."""
    return used(sent, limit, now) + messages <= limit.messages - RESERVED[use]
