"""What lasts for days: it goes on as long as a detector speaks of it, and ends by time if not."""

from datetime import timedelta
from pathlib import Path

from tests.services.alert_parts import HOUR, MINUTE, Desk, alert

HUB = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
route: {to: [hub], repeat: 30 d}
"""
DAY = timedelta(days=1)


def test_what_a_detector_still_tells_of_does_not_end_by_time(tmp_path: Path) -> None:
    desk, dead = Desk(tmp_path, HUB), alert("pump.p1", rule="silent")
    desk.take(dead, alert("pump.p2", rule="fast"))

    for _ in range(60):
        desk.turn(HOUR, step=30 * MINUTE)
        desk.take(dead)
    kept = {one.device: (one.phase, one.records) for one in desk.lives()}
    desk.turn(2 * DAY, step=HOUR)

    assert kept == {"pump.p1": ("open", 1), "pump.p2": ("resolved", 1)}
    assert {one.phase for one in desk.lives()} == {"resolved"}
    told = [state for message in desk.listed("hub") for _, state in message]
    assert told == ["firing", "firing", "resolved", "resolved"]


def test_what_somebody_ended_stays_so_though_it_is_still_told_of(tmp_path: Path) -> None:
    desk, dead = Desk(tmp_path, HUB), alert("pump.p1", rule="silent")
    desk.take(dead)
    desk.engine.resolve("default", desk.lives()[0].alert_id, "key:ann")

    desk.time += HOUR
    desk.take(dead)

    assert [one.phase for one in desk.lives()] == ["resolved"]
