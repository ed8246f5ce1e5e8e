"""The figures of one publish."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Lines read, records acknowledged, and lines that could not be read."""

    has_begun: bool = False
    read: int = 0
    published: int = 0
    bad_lines: int = 0

    def result(self) -> dict[str, int]:
        """Return the figures as the command prints them."""
        return {"read": self.read, "published": self.published, "bad_lines": self.bad_lines}
