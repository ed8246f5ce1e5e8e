"""The configuration while the service runs: a changed file, a wrong one, none at all."""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from services.alerts.start import Parts, open_service
from services.alerts.tables import MESSAGES
from telemetry.settings import Settings
from tests.services.alert_parts import alert, opened
from tests.services.databases import migrated

HUB = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1:9/no"}
route: {to: [hub]}
"""


def started(home: Path) -> Parts:
    settings = Settings(home=home)
    settings.alerts_dir.mkdir(parents=True)
    settings.alerts_configuration.write_text(HUB)
    migrated(settings.alerts_dir / "alerts.db", opened)
    parts = open_service(settings, lambda: datetime.now(UTC))
    # Nothing is sent: what waits is what is looked at.
    parts.deliveries.stop()
    return parts


def states(parts: Parts) -> list[str]:
    with parts.service.engine.turns.reading() as connection:
        return list(connection.execute(select(MESSAGES.c.state)).scalars())


def test_a_file_that_is_gone_takes_nothing_from_whom_it_named(tmp_path: Path) -> None:
    parts = started(tmp_path)
    path = Settings(home=tmp_path).alerts_configuration
    parts.service.engine.take([alert("pump.p1", severity="critical")])

    path.unlink()
    parts.clockwork.take_up()
    complaint = parts.service.complaint
    parts.service.engine.take([alert("pump.p2", severity="critical")])
    waiting = states(parts)
    path.write_text("route: {}\n")
    parts.clockwork.take_up()

    assert complaint is not None
    assert "alerts.yaml is gone: put it back" in complaint
    assert waiting == ["waiting", "waiting"]
    assert parts.service.complaint is None
    assert states(parts) == ["given_up", "given_up"]


def test_a_wrong_file_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    parts = started(tmp_path)
    Settings(home=tmp_path).alerts_configuration.write_text("route: {to: [nobody]}\n")

    parts.clockwork.take_up()
    parts.service.engine.take([alert("pump.p1", severity="critical")])

    assert parts.service.complaint is not None
    assert states(parts) == ["waiting"]
