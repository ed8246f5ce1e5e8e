"""Who goes first where cores are few: what lands, before whoever looks at it."""

from telemetry.settings import Settings


def behind_streams(settings: Settings) -> tuple[str, ...]:
    """Return the words before a command that answers questions."""
    return "nice", "-n", str(settings.query_nice)
