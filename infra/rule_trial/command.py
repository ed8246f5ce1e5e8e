"""`headwater rules try`: a rule over history, as a table and a plot."""

from pathlib import Path

import click

EXAMPLES = """\b
Examples:
  headwater rules try hot.yaml
  headwater rules try hot --from 2026-11-01 --to 2026-11-08 --png hot.png
  headwater rules try theft.yaml --csv meters.csv --device-column meter
  headwater rules try hot --json

Nothing is switched on and nobody is told. Times are UTC unless they name a zone.
"""


@click.command("try", epilog=EXAMPLES)
@click.argument("file_or_name")
@click.option("--from", "since", help="First event time, ISO.")
@click.option("--to", "until", help="Event time before which to end, ISO.")
@click.option("--csv", "files", multiple=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Try it on this file instead of the lake; may be given again.")  # fmt: skip
@click.option("--time-column", help="Column of the time in FILE.")
@click.option("--device-column", help="Column of the device; default one named device.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Save the plot here.")
@click.option("--tenant", default="default", show_default=True, help="Whose rule, of a NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def try_(  # noqa: PLR0913 - each is an option of the command line
    file_or_name: str,
    *,
    since: str | None,
    until: str | None,
    files: tuple[Path, ...],
    time_column: str | None,
    device_column: str | None,
    png: Path | None,
    tenant: str,
    as_json: bool,
) -> None:
    """Say how often a rule (of a file, or by its name) would have fired, and on whom."""
    # What rules are evaluated with takes a second to import: other commands do without.
    from infra.rule_trial.report import Asked, show_trial

    asked = Asked(file_or_name, tenant, since, until, files, time_column, device_column)
    show_trial(asked, png, as_json)
