"""What README and docs say can be done: targets, commands, flags and links exist."""

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from infra.batch_job import job_names
from infra.cli import COMMANDS

CHECKOUT = Path(__file__).parents[1]
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
PASSED_ON = {"simulate": "simulator.simulate", "verify": "simulator.verify"}


def commands(document: Path) -> list[tuple[str, ...]]:
    """List the `headwater` commands of a document's blocks, in words."""
    blocks = re.findall(
        r"^```\w*\n(.*?)^```", document.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [re.match(r"(?:\$ )?(?:\.venv/bin/)?headwater (.*)", line) for line in lines]
    return [tuple(match.group(1).split()) for match in found if match]


def make_targets(document: Path) -> set[str]:
    text = document.read_text("utf-8")
    spans = re.findall(r"`make ([a-z -]+)`", text) + re.findall(
        r"^make ([a-z -]+?)(?:  |$)", text, re.M
    )
    return {target for span in spans for target in span.split()}


def flags_of(name: str) -> set[str]:
    command = getattr(import_module(PASSED_ON.get(name, f"infra.commands.{name}")), name)
    assert isinstance(command, click.Command)
    inner = command.commands.values() if isinstance(command, click.Group) else []
    known = [parameter for each in (command, *inner) for parameter in each.params]
    return {flag for parameter in known for flag in (*parameter.opts, *parameter.secondary_opts)}


def flags_of_job(job: str) -> set[str]:
    """Return the flags that a job's own module declares, and those of its dates."""
    assert job in job_names()
    jobs = CHECKOUT / "spark_jobs" / "jobs"
    text = (jobs / f"{job.replace('-', '_')}.py").read_text("utf-8")
    text += (jobs / "job_runs.py").read_text("utf-8") if "add_dates" in text else ""
    return set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert make_targets(document) <= set(targets)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_their_flags_exist(document: Path) -> None:
    for name, *words in commands(document):
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        if name.startswith("-"):
            continue
        assert name in COMMANDS
        known = flags_of(name) | (flags_of_job(words[0]) if name == "job" and words else set())
        assert flags <= known | {"--help", "--debug"}, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8"))
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (document.parent / link).exists()] == []
