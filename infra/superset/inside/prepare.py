"""`python -m infra.superset.inside.prepare`: bring Superset to this bundle.

Nothing is done if nothing has changed. All steps are Superset's own commands, run in one process:
each would take longer to start than to do its work.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from infra.superset.inside.home import Told, folder, told


def main() -> int:
    """Bring schema, roles, people, connection and dashboards up to date; return the exit code."""
    given = told()
    logins = folder() / "logins.json"
    whole, people = _digest(_sources(given)), _digest([logins])
    noted = _noted()
    if noted == [whole, people]:
        return 0
    missing = _prepare(given, logins, reset=noted[1:] != [people])
    if missing:
        print(f"error: not imported: {', '.join(missing)}", file=sys.stderr)  # noqa: T201
        return 1
    (folder() / "prepared").write_text(f"{whole}\n{people}\n", "utf-8")
    return 0


def _prepare(given: Told, logins: Path, *, reset: bool) -> list[str]:
    """Run the commands; return the bundle's files that Superset did not take."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        # Superset's modules want the application when they are imported.
        from infra.superset.inside.bundle import (
            name_datasets,
            not_imported,
            take_off_what_is_gone,
        )
        from infra.superset.inside.commands import run
        from infra.superset.inside.people import make_people, make_roles, parse_logins

        run(app, "db", "upgrade")
        run(app, "init")
        run(app, "import-directory", given["bundle"], "--overwrite")
        make_roles()
        make_people(parse_logins(logins.read_text("utf-8")), reset=reset)
        bundle = Path(given["bundle"])
        if missing := not_imported(bundle):
            return missing
        take_off_what_is_gone(bundle)
        name_datasets(bundle)
        return []


def _sources(given: Told) -> list[Path]:
    """Return all files that Superset's state is made of."""
    bundle = sorted(Path(given["bundle"]).rglob("*.yaml"))
    lock = Path(__file__).parents[2] / "locks" / "superset.txt"
    return [*bundle, *sorted(Path(__file__).parent.glob("*.py")), lock, folder() / "settings.json"]


def _noted() -> list[str]:
    try:
        return (folder() / "prepared").read_text("utf-8").split()
    except FileNotFoundError:
        return []


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
