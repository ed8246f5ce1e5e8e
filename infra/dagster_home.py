"""Dagster's services: code server, webserver, daemon, and their shared home."""

import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

from infra.environment import PROJECT
from infra.probes import http_complaint, http_json, port_complaint
from infra.spark_submit import write_spark_defaults
from infra.stack import write_whole
from infra.supervision.service import Service
from telemetry.settings import Settings

DEFINITIONS = "orchestration.definitions"
TEMPLATES = Path(__file__).parent / "dagster"
DAEMON_QUERY = "{instance {daemonHealth {allDaemonStatuses {daemonType required healthy}}}}"
"""Daemon health, as the webserver knows it from the daemon's heartbeats."""


def dagster_services(settings: Settings, *, has_superset: bool) -> tuple[Service, ...]:
    """Return the three services; one code server, so that a definition is loaded once."""
    url = f"http://127.0.0.1:{settings.port('dagster')}"
    code_port = settings.port("dagster_code")
    home = settings.home / "dagster"

    def service(
        name: str,
        command: tuple[str, ...],
        complaint: Callable[[], str | None],
        *,
        port: str | None = None,
        after: tuple[str, ...] = ("dagster-code",),
    ) -> Service:
        return Service(
            name=name,
            command=lambda: command,
            budget_mb=239,
            environment={
                "DAGSTER_HOME": str(home),
                "DAGSTER_DISABLE_TELEMETRY": "yes",
                # What `auto` came to: no link leads to a Superset that was left out.
                "HEADWATER_SUPERSET": "on" if has_superset else "off",
            },
            ports=(settings.port(port),) if port else (),
            url=url if port == "dagster" else None,
            login="none" if port == "dagster" else "",
            after=after,
            folder=PROJECT,
            complaint=complaint,
            before_start=lambda: write_instance(settings),
            stop_wait_s=30,
        )

    return (
        service(
            "dagster-code",
            (*_tool("dagster"), "api", "grpc", "-m", DEFINITIONS, *_at(code_port)),
            lambda: port_complaint(code_port),
            port="dagster_code",
            after=(),
        ),
        service(
            "dagster-webserver",
            (*_tool("dagster-webserver"), *_at(settings.port("dagster")), *_workspace(home)),
            lambda: http_complaint(f"{url}/server_info"),
            port="dagster",
        ),
        service(
            "dagster-daemon",
            (*_tool("dagster-daemon"), "run", *_workspace(home)),
            lambda: daemon_complaint(url),
            # Two that make Dagster's store at the same time spoil it.
            after=("dagster-webserver",),
        ),
    )


def write_instance(settings: Settings) -> None:
    """Write dagster.yaml, workspace.yaml, and the Spark configuration that jobs name."""
    home = settings.home / "dagster"
    write_whole(home / "dagster.yaml", (TEMPLATES / "dagster.yaml").read_text(encoding="utf-8"))
    workspace = Template((TEMPLATES / "workspace.yaml").read_text(encoding="utf-8"))
    port = settings.port("dagster_code")
    write_whole(home / "workspace.yaml", workspace.substitute(dagster_code_port=port))
    write_spark_defaults(settings)


def daemon_complaint(url: str) -> str | None:
    """Say which required daemon does not run; None if all do."""
    try:
        answer = http_json(f"{url}/graphql", {"query": DAEMON_QUERY})
    except OSError:
        return "no word of it yet: the webserver does not answer"
    try:
        unhealthy = _unhealthy(answer)
    except (KeyError, TypeError, AssertionError):
        return "the webserver does not tell how it is"
    return f"no heartbeat of {', '.join(unhealthy)}" if unhealthy else None


def _unhealthy(answer: object) -> list[str]:
    """Return the daemons that are required and not healthy."""
    assert isinstance(answer, dict)
    daemons = answer["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
    return [
        str(daemon["daemonType"])
        for daemon in daemons
        if daemon["required"] and not daemon["healthy"]
    ]


def _tool(name: str) -> tuple[str, ...]:
    """Return a tool of Dagster's beside our Python."""
    return (str(Path(sys.executable).parent / name),)


def _at(port: int) -> tuple[str, ...]:
    return ("-h", "127.0.0.1", "-p", str(port))


def _workspace(home: Path) -> tuple[str, ...]:
    return ("-w", str(home / "workspace.yaml"))
