"""What a trial is asked for, and how it is shown."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.table import Table

from detection.models.asking import predicts
from infra.console import table_console
from infra.declaration_files import declarations
from infra.registry.rule_book import known_rule, open_rules
from infra.rule_trial.file_history import FileColumns, FileHistory
from infra.rule_trial.picture import save_trial
from infra.rule_trial.silver_history import SilverHistory
from infra.rule_trial.trial import DeviceTrial, History, Trial, tried
from telemetry.durations import format_duration
from telemetry.errors import HeadwaterError
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import Rule
from telemetry.settings import Settings

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rule is tried, on what; no `files` means the lake."""

    file_or_name: str
    tenant: str = "default"
    since: str | None = None
    until: str | None = None
    files: Sequence[Path] = ()
    time_column: str | None = None
    device_column: str | None = None


def show_trial(asked: Asked, png: Path | None, as_json: bool) -> None:
    """Try the rule, print what it would have done, and save the plot if one is wanted."""
    rule = _rule(asked.file_or_name, asked.tenant)
    history = _history(asked, rule)
    trial = tried(rule, history, predicts(Settings().model_dir))
    if trial.last is None:
        raise HeadwaterError(f"rule {rule.name} finds no reading that it watches in that time")
    if as_json:
        click.echo(json.dumps(as_dict(trial), indent=2))
    else:
        _show(trial)
    if png:
        save_trial(trial, history, png)
        click.echo(f"saved {png}", err=True)


def _history(asked: Asked, rule: Rule) -> History:
    if asked.files:
        return FileHistory(asked.files, rule, FileColumns(asked.time_column, asked.device_column))
    span = _moment("--from", asked.since), _moment("--to", asked.until)
    return SilverHistory(Settings().lake_root, rule, *span)


def _rule(file_or_name: str, tenant: str) -> Rule:
    path = Path(file_or_name)
    if not path.is_file():
        return known_rule(open_rules(Settings()), file_or_name, tenant).rule
    found = declarations(path, "rule")
    if len(found) != 1:
        raise HeadwaterError(f"{path} holds {len(found)} rules: try one at a time")
    return rule_from_dict(found[0])


def _moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {text!r} is no ISO time: 2026-11-21T08:00") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_dict(trial: Trial) -> dict[str, object]:
    """Return a trial as JSON."""
    assert trial.first is not None
    assert trial.last is not None
    return {
        "rule": trial.rule.name,
        "from": trial.first.isoformat(),
        "to": trial.last.isoformat(),
        "devices": len(trial.devices),
        "devices_with_alarms": len(trial.worst()),
        "readings": trial.readings,
        "alarms": len(trial.alarms),
        "by_device": [_device_dict(device, trial.last) for device in trial.worst()],
    }


def _device_dict(device: DeviceTrial, until: datetime) -> dict[str, object]:
    return {
        "device": device.device,
        "alarms": len(device.alarms),
        "readings": device.readings,
        "share_in_alarm": round(device.share_in_alarm, 6),
        "longest_s": device.longest(until).total_seconds(),
        "first": device.alarms[0].began_at.isoformat(),
        "last": device.alarms[-1].began_at.isoformat(),
        "text": device.alarms[0].text,
    }


def _show(trial: Trial) -> None:
    assert trial.first is not None
    assert trial.last is not None
    console, worst = table_console(), trial.worst()
    if worst:
        table = Table("device", "alarms", "longest", "share of readings", "first (UTC)", "it says")
        for device in worst[:SHOWN]:
            table.add_row(
                device.device,
                f"{len(device.alarms):,}",
                _span(device.longest(trial.last)),
                f"{device.share_in_alarm:.2%}",
                f"{device.alarms[0].began_at:%Y-%m-%d %H:%M:%S}",
                device.alarms[0].text,
            )
        console.print(table)
        if len(worst) > SHOWN:
            console.print(f"and {len(worst) - SHOWN:,} more devices: --json lists all")
    days = max((trial.last - trial.first) / timedelta(days=1), 1e-9)
    console.print(
        f"{trial.rule.name}: {len(trial.alarms):,} alarms on {len(worst):,} of"
        f" {len(trial.devices):,} devices in {trial.readings:,} readings over {days:,.1f} days,"
        f" {len(trial.alarms) / days / max(len(trial.devices), 1):.3g} a device-day",
        highlight=False,
    )


def _span(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    if seconds < 7200:
        return format_duration(timedelta(seconds=seconds))
    return f"{seconds / 3600:.1f} h"
