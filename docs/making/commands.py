"""The page of commands, from the help that each gives."""

from collections.abc import Iterator

import click

from infra.cli import cli
from simulator.__main__ import main as simulator

HEAD = """# Commands

Made from what each command says with `--help`, by `make docs`.
"""
WIDTH = 96


def commands_page() -> str:
    """Return the whole page."""
    return "\n".join((HEAD, *_sections(cli, "headwater", 2)))


def _sections(command: click.Command, name: str, level: int) -> Iterator[str]:
    """Yield a command's section, then those of its subcommands."""
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield f"{'#' * level} {name}\n\n```text\n{_help(command, context)}\n```\n"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = simulator.get_command(context, each) or command.get_command(context, each)
            assert found is not None
            yield from _sections(found, f"{name} {each}", min(level + 1, 4))


def _help(command: click.Command, context: click.Context) -> str:
    text = command.get_help(context)
    return "\n".join(line.rstrip() for line in text.splitlines())
