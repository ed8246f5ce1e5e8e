"""Another process of ours, run in this terminal with its exit code passed on."""

import subprocess
import sys

import click


def run_module(module: str, *arguments: str) -> None:
    """Run `python -m module arguments…` and leave with its exit code."""
    run_here([sys.executable, "-m", module, *arguments])


def run_here(command: list[str]) -> None:
    """Run a command in the foreground and leave with its exit code."""
    click.get_current_context().exit(wait(subprocess.Popen(command)))


def wait(process: subprocess.Popen[bytes]) -> int:
    """Return a process's exit code; Ctrl-C reaches it as well, and it decides how to end."""
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue
