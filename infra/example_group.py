"""A group of commands each of which shows those of the group's examples that are its own."""

import click


class ExampleGroup(click.Group):
    """Gives a command without an epilog the lines of the group's that begin with it."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Register the command, with its examples."""
        cmd.epilog = cmd.epilog or examples_of(self.epilog or "", f"{self.name} {name or cmd.name}")
        super().add_command(cmd, name)


def examples_of(epilog: str, command: str) -> str | None:
    """Return the lines of an epilog that show `headwater {command}`, or None."""
    begins = f"headwater {command}"
    lines = [line for line in epilog.splitlines() if f"{line.strip()} ".startswith(f"{begins} ")]
    return "\n".join(["\b", "Examples:", *lines, ""]) if lines else None
