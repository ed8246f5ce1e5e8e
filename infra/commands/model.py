"""`headwater model`: train, use and list models of wear and failure."""

import csv
import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from detection.models.model_files import About, about
from detection.whole_files import whole
from infra.commands.detect import check_out
from infra.example_group import ExampleGroup
from telemetry.errors import HeadwaterError

EPILOG = """\b
Examples:
  headwater model train rul train_FD001.txt --out engines.model
  headwater model predict engines.model test_FD001.txt --out cycles.csv
  headwater model train failure ai4i2020.csv --out mills.model
  headwater model predict mills.model today.csv --out risk.csv
  headwater model list .

A model file says which data it learnt from (SHA-256), how well it did on a held-back fifth of it,
and by which version of the library. Loading one runs no code that it brings along.
"""
HEADERS = {"rul": "prediction", "failure": "probability"}
_File = click.Path(exists=True, dir_okay=False, path_type=Path)
_Out = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=ExampleGroup, epilog=EPILOG)
def model() -> None:
    """Train, use and list models of remaining life and of failure."""


@model.command()
@click.argument("kind", type=click.Choice(list(HEADERS)))
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=_File)
@click.option("--out", required=True, type=_Out, help="Where to write the model.")
def train(kind: str, files: tuple[Path, ...], out: Path) -> None:
    """Train a model of KIND on FILE…: C-MAPSS text for rul, AI4I's CSV for failure."""
    # scikit-learn takes seconds to import: help and list do without.
    from detection.models.model_files import save
    from detection.models.training import train as trained

    check_out(out, files)
    found, fitted = trained(kind, *files)
    save(out, found, fitted)
    click.echo(json.dumps({"model": str(out), "rows": found.rows, **found.metrics}))


@model.command()
@click.argument("model_file", type=_File, metavar="MODEL")
@click.argument("file", type=_File)
@click.option("--out", required=True, type=_Out, help="Where to write the answers, as CSV.")
def predict(model_file: Path, file: Path, out: Path) -> None:
    """Answer for each row of FILE: cycles that remain, or the probability of failure."""
    from detection.models.model_files import load
    from detection.models.training import predict as answers

    check_out(out, [model_file, file])
    found, fitted = load(model_file)
    values = answers(found.kind, fitted, file)
    with whole(out) as part, part.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["row", HEADERS[found.kind]])
        writer.writerows((row, f"{value:.6f}") for row, value in enumerate(values.tolist()))
    click.echo(f"{len(values)} rows: {out}", err=True)


@model.command(name="list")
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False,
                                                       path_type=Path))  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_models(folder: Path, as_json: bool) -> None:
    """List the model files of FOLDER (this one by default)."""
    found: dict[str, About] = {}
    for path in sorted(folder.glob("*")):
        with suppress(HeadwaterError):
            found |= {path.name: about(path)} if path.is_file() else {}
    if as_json:
        click.echo(json.dumps([{"model": name, **asdict(each)} for name, each in found.items()]))
        return
    if not found:
        click.echo(f"no models in {folder}: see `headwater model train --help`", err=True)
    for name, each in found.items():
        metrics = [f"{metric}={value:.4g}" for metric, value in each.metrics.items()]
        data = f"data {each.data_sha256[:12]}"
        click.echo("  ".join([name, each.kind, f"{each.rows} rows", *metrics, data, each.library]))
