"""The outbox that the running stack reads from."""

import json

from edge.kafka import KafkaOutbox
from edge.outbox import Outbox, OutboxError
from edge.spool import SpoolOutbox
from telemetry.settings import Settings


def open_outbox(settings: Settings) -> Outbox:
    """Open Kafka or the spool, by the mode that `headwater up` wrote down."""
    if stack_mode(settings) == "light":
        return SpoolOutbox(settings.spool_dir)
    return KafkaOutbox(settings.kafka_bootstrap)


def stack_mode(settings: Settings) -> str:
    """Return `full` or `light`; raise if no stack was ever started in this home."""
    try:
        mode = json.loads((settings.home / "stack.json").read_bytes()).get("mode")
    except FileNotFoundError as error:
        if settings.kafka:
            return "full"
        raise OutboxError(
            f"no stack was started in {settings.home}: run `headwater up` (or `up --light`) first"
        ) from error
    except (ValueError, AttributeError) as error:
        raise OutboxError(
            f"{settings.home / 'stack.json'} cannot be read: run `headwater up` again"
        ) from error
    if mode not in ("full", "light"):
        raise OutboxError(f"{settings.home / 'stack.json'} names the mode {mode!r}: run `up` again")
    return str(mode)
