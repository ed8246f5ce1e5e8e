"""Pictures in pages: `<!-- picture NAME: words -->` shows one where it was taken, else nothing."""

import re
from collections.abc import Collection
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"
"""They are made, and no part of the repository."""
MARK = re.compile(r"<!-- picture ([\w-]+): (.+?) -->")


def pictured(markdown: str, page: str, there: Collection[str]) -> str:
    """Put pictures in the place of their marks, as seen from a page's path in docs/."""
    up = "../" * page.count("/")

    def shown(mark: re.Match[str]) -> str:
        name, words = mark.groups()
        return f"![{words}]({up}screenshots/{name}.png)" if name in there else ""

    return MARK.sub(shown, markdown)
