"""Drops rows of long ago; `gold.alerts` keeps the lives of alerts for longer."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from services.alerts.tables import ALERTS, HELD, MESSAGES, RECORDS, REFUSED, SILENCES, TRAIL, TRIES
from services.database import Turns

KEEP = timedelta(days=90)
AT_ONCE = 5000


def forget(turns: Turns, now: datetime) -> int:
    """Drop what is older than is kept, some rows at a time; return how many that were."""
    before, dropped = now - KEEP, 0
    old_alerts = (
        (ALERTS.c.phase == "resolved") & (ALERTS.c.updated_at < before) & ALERTS.c.is_published
    )
    old = (
        (RECORDS, RECORDS.c.record_id, RECORDS.c.at < before),
        (REFUSED, REFUSED.c.offset, REFUSED.c.at < before),
        (SILENCES, SILENCES.c.silence_id, SILENCES.c.ends_at < before),
        (TRIES, TRIES.c.id, TRIES.c.at < before),
        (MESSAGES, MESSAGES.c.number, MESSAGES.c.settled_at < before),
        (HELD, HELD.c.alert_id, HELD.c.at < before),
        (TRAIL, TRAIL.c.id, TRAIL.c.at < before),
        (ALERTS, ALERTS.c.alert_id, old_alerts),
    )
    for table, key, is_old in old:
        while True:
            some = select(key).where(is_old).limit(AT_ONCE)
            with turns.writing() as connection:
                gone = connection.execute(delete(table).where(is_old, key.in_(some))).rowcount
            dropped += gone
            if gone < AT_ONCE:
                break
    return dropped
