"""A PostgreSQL server of the test run's own, where the machine has one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg


def programs() -> Path | None:
    """Return the folder of the newest server's programs, None where there is none."""
    beside = shutil.which("initdb")
    if beside:
        return Path(beside).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_release)
    return found[-1].parent if found else None


def _release(path: Path) -> int:
    name = path.parents[1].name
    return int(name) if name.isdigit() else 0


@contextmanager
def server(binaries: Path, settings: Sequence[str] = ()) -> Iterator[Path]:
    """Run a server that listens on a socket in the yielded folder alone.

    Settings are `name=value`, and win over those of tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="headwater-pg-"))
    # The server refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    try:
        _run(binaries, user, "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=32MB"
        options += "".join(f" -c {setting}" for setting in settings)
        log = folder / "log"
        _run(binaries, user, "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        yield folder
    finally:
        if (data / "postmaster.pid").exists():
            _run(binaries, user, "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _run(binaries: Path, user: str | None, program: str, *arguments: str | Path) -> None:
    subprocess.run(
        [binaries / program, *arguments],
        user=user,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=True,
    )


def fresh_database(socket: Path) -> str:
    """Return the URL of the database with nothing in it."""
    with psycopg.connect(host=str(socket), user="test", dbname="postgres", autocommit=True) as made:
        made.execute("drop schema public cascade")
        made.execute("create schema public")
    return f"postgresql+psycopg://test@/postgres?host={socket}"
