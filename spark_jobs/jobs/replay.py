"""Judge a range of bronze anew and compare it with silver and gold, or take up rejected messages.

Examples:
  headwater job replay --from 2026-11-20 --to 2026-11-20
  headwater job replay --from 2026-11-20T08 --to 2026-11-20T11 --beside /tmp/replayed
  headwater job replay --from 2026-11-20 --to 2026-11-21 --in-place
  headwater job replay --from 2026-11-20 --in-place --drop-orphans
  headwater job replay --rejected --reason unknown_device --product meter
"""

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spark_jobs.jobs.job_runs import Result, recorded
from spark_jobs.jobs.replay_job import Asked, replay
from spark_jobs.jobs.replay_rejected import Wanted, replay_rejected
from spark_jobs.lake import Lake
from spark_jobs.transforms.spans import Span, later
from telemetry.errors import WrongUseError
from telemetry.settings import Settings

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?P<h>[T ]\d\d(?P<m>:\d\d(?P<s>:\d\d)?)?(Z|[+-]\d\d:\d\d)?)?")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the range, where its rows go, and which rejected messages are taken up."""
    hour = (
        "a date, hour, minute or second of received_at, in UTC unless it names an offset:"
        " 2026-11-20, 2026-11-20T08, 2026-11-20T08:30Z"
    )
    parser.add_argument("--from", dest="first", type=_span, metavar="TIME", help=hour)
    parser.add_argument(
        "--to",
        dest="last",
        type=_span,
        metavar="TIME",
        help="the last one, whole; without it --from alone",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--beside", type=Path, metavar="FOLDER", help="write a lake of its own here, and compare"
    )
    where.add_argument(
        "--in-place", action="store_true", help="compare, and put differing rows in place"
    )
    parser.add_argument(
        "--drop-orphans",
        action="store_true",
        help="with --in-place: remove also rows whose records bronze has lost",
    )
    parser.add_argument(
        "--rejected", action="store_true", help="take up rejected messages whose rules pass now"
    )
    parser.add_argument(
        "--registered",
        action="store_true",
        help="only those whose device was unknown and is registered now",
    )
    parser.add_argument("--reason", metavar="RULE", help="only those rejected by this rule")
    parser.add_argument("--product", metavar="PRODUCT", help="only those of this product")


def _span(text: str) -> Span:
    """Return the day, hour, minute or second that a text names, in UTC."""
    found = _TIME.fullmatch(text)
    try:
        start = datetime.fromisoformat(text) if found else None
        start = start and start.replace(tzinfo=start.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        start = None
    if found is None or start is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no UTC date or time: 2026-11-20T08")
    unit = "seconds" if found["s"] else "minutes" if found["m"] else "hours"
    length = timedelta(**{unit if found["h"] else "days": 1})
    return Span(start, later(start, length))


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Replay as asked; `ok` is false if rows beside differ."""
    received = _asked_span(arguments)
    if arguments.rejected:
        if arguments.beside or arguments.in_place:
            raise WrongUseError("--rejected lands in silver itself: leave the place out")
        wanted = Wanted(
            arguments.reason, arguments.product, received, is_registered=arguments.registered
        )
        return recorded(
            lake,
            "replay",
            arguments,
            lambda now: replay_rejected(settings, lake, now, wanted),
        )
    if arguments.reason or arguments.product or arguments.registered:
        raise WrongUseError(
            "--reason, --product and --registered choose rejected messages: add --rejected"
        )
    if arguments.drop_orphans and not arguments.in_place:
        raise WrongUseError("--drop-orphans removes rows in place: add --in-place")
    if received is None:
        raise WrongUseError("name the range: --from 2026-11-20T08 --to 2026-11-20T11")
    asked = Asked(received, arguments.beside, arguments.in_place, arguments.drop_orphans)
    return recorded(lake, "replay", arguments, lambda now: replay(settings, lake, asked, now))


def _asked_span(arguments: argparse.Namespace) -> Span | None:
    first, last = arguments.first or arguments.last, arguments.last or arguments.first
    if first is None or last is None:
        return None
    if first.start >= last.end:
        raise WrongUseError(f"--from {first.start:%Y-%m-%dT%H:%M:%SZ} is after --to")
    return Span(first.start, last.end)
