"""The limit of open files: raised as far as this process may, since each connection takes one."""

import resource

from telemetry.errors import HeadwaterError

BESIDE = 256
"""Files that a process has open beside its connections."""


def allow_open_files(connections: int) -> None:
    """Raise the soft limit for so many connections; an error where the hard limit is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise HeadwaterError(
            f"{connections:,} connections need {wanted:,} open files, and this process may have"
            f" {hard:,}: raise the hard limit (`ulimit -n {wanted}` as root, LimitNOFILE= of a"
            " systemd unit), or take fewer devices"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def allow_all_open_files() -> None:
    """Raise the soft limit to the hard one, for a server that knows no number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
