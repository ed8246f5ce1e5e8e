"""Another process of ours, run in this terminal with its exit code passed on."""

import subprocess
import sys

import click


def run_module(module: str, *arguments: str) -> None:
    """Run `python -m module arguments…` and leave with its exit code."""
    run_here([sys.executable, "-m", module, *arguments])


def run_here(command: list[str]) -> None:
    """Run a command in the foreground; Ctrl-C reaches it, and it decides how to end."""
    process = subprocess.Popen(command)
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue
    click.get_current_context().exit(code if code >= 0 else 128 - code)
