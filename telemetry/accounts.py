"""Pages of the gateways' account: how many records were taken and acknowledged."""

import json
import re
from typing import NamedTuple

PAGE_HEADER = "gateway"
"""Header of a gateway's record: the name of the page on which it was taken."""

PAGES = "pages"
"""Folder of a gateway's pages, where no Kafka is."""
_NAME = re.compile("[0-9a-z-]{1,64}")


class Page(NamedTuple):
    """The newest word on a page; times in microseconds since 1970, counts of records."""

    name: str
    instance: str
    began_at: int
    told_at: int
    taken: int
    """Handed to a store: so many are there at the most, unless a spool sent some again."""
    acknowledged: int
    """Durable, and told so: so many are there at the least."""
    is_final: bool
    spool: dict[str, int]
    """Records of any page that wait on this gateway's own disk; 0: some did since the last word."""

    def encoded(self) -> bytes:
        """Return it as it is published."""
        return json.dumps(self._asdict()).encode()


def page_of(value: bytes) -> Page | None:
    """Read a page as it was published; None: it is none."""
    try:
        page = Page(**json.loads(value))
    except (ValueError, TypeError):
        return None
    numbers = (page.began_at, page.told_at, page.taken, page.acknowledged)
    is_read = all(isinstance(number, int) for number in numbers) and isinstance(page.spool, dict)
    return page if is_read and _NAME.fullmatch(str(page.name)) else None
