"""supervisord's configuration, written from the services of a home."""

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from infra.supervision.service import Service

LONGEST_SOCKET_PATH = 90
"""A Unix socket's path ends at 107 bytes, and supervisord adds its pid to it."""


def configuration_path(home: Path) -> Path:
    """Return where the home's supervisord finds its configuration."""
    return home / "run" / "supervisord.conf"


def socket_path(home: Path) -> Path:
    """Return the home's socket; one of a short name where the home's own is too long."""
    path = home / "run" / "supervisor.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        return path
    name = sha256(str(home).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"headwater-{os.getuid()}-{name}.sock"


def pid_path(home: Path) -> Path:
    """Return the file that holds supervisord's pid."""
    return home / "run" / "supervisord.pid"


def log_path(home: Path, name: str) -> Path:
    """Return a service's log; `supervisord` has one as well."""
    return home / "logs" / f"{name}.log"


def configuration(home: Path, services: Sequence[Service], environment: Mapping[str, str]) -> str:
    """Return the text of supervisord.conf; `up` starts the services, never supervisord itself."""
    programs = [_program(home, service, environment) for service in services]
    return "\n\n".join([_daemon(home), *programs]) + "\n"


def _daemon(home: Path) -> str:
    user = "user = root\n" if os.getuid() == 0 else ""
    return (
        "[unix_http_server]\n"
        f"file = {_text(socket_path(home))}\n"
        "chmod = 0600\n\n"
        "[supervisord]\n"
        f"logfile = {_text(log_path(home, 'supervisord'))}\n"
        "logfile_maxbytes = 2MB\nlogfile_backups = 1\n"
        f"pidfile = {_text(pid_path(home))}\n"
        f"directory = {_text(home / 'run')}\n"
        f"childlogdir = {_text(home / 'logs')}\n"
        f"identifier = headwater\n{user}\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory ="
        " supervisor.rpcinterface:make_main_rpcinterface"
    )


def _program(home: Path, service: Service, environment: Mapping[str, str]) -> str:
    """Write one service; a start that fails is tried again after 1 s, 2 s, 3 s and so on."""
    variables = {**environment, **service.environment}
    gentle = ("nice", "-n", str(service.nice)) if service.nice else ()
    return (
        f"[program:{service.name}]\n"
        f"command = {_text(shlex.join([*gentle, *service.command()]))}\n"
        f"directory = {_text(service.folder or home / 'run')}\n"
        f"environment = {_environment(variables)}\n"
        "autostart = false\nautorestart = true\nstartsecs = 5\nstartretries = 12\n"
        f"stopsignal = TERM\nstopasgroup = {str(service.stops_group).lower()}\n"
        "killasgroup = true\n"
        f"stopwaitsecs = {service.stop_wait_s}\n"
        f"redirect_stderr = true\nstdout_logfile = {_text(log_path(home, service.name))}\n"
        "stdout_logfile_maxbytes = 20MB\nstdout_logfile_backups = 3"
    )


def _environment(variables: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_quoted(value)}" for name, value in variables.items())


def _quoted(value: str) -> str:
    quote = "'" if '"' in value else '"'
    return _text(f"{quote}{value}{quote}")


def _text(value: object) -> str:
    """Write a value so that supervisord does not take a percent sign for a variable."""
    return str(value).replace("%", "%%")
