"""`python -m infra.superset.inside.prepare`: bring Superset to this bundle.

Nothing is done if nothing has changed. All steps are Superset's own commands, run in one process:
each would take longer to start than to do its work.
"""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from infra.superset.inside.home import Told, folder, told


class Digests(NamedTuple):
    """What Superset's state is made of: all of it, its people, and what is imported where."""

    whole: str = ""
    people: str = ""
    imported: str = ""


def main() -> int:
    """Bring schema, roles, people, connection and dashboards up to date; return the exit code."""
    given, own = told(), folder()
    now, noted = digests(given, own), noted_in(own)
    if noted == now:
        return 0
    missing = _prepare(
        given,
        own / "logins.json",
        reset=noted.people != now.people,
        imports=noted.imported != now.imported,
    )
    if missing:
        print(f"error: not imported: {', '.join(missing)}", file=sys.stderr)  # noqa: T201
        return 1
    (own / "prepared").write_text("".join(f"{digest}\n" for digest in now), "utf-8")
    return 0


def _prepare(given: Told, logins: Path, *, reset: bool, imports: bool) -> list[str]:
    """Run the commands; return the bundle's files that Superset did not take.

    Without `imports` what people have changed in the browser stays as it is.
    """
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
        if imports:
            run(app, "import-directory", given["bundle"], "--overwrite")
        make_roles()
        make_people(parse_logins(logins.read_text("utf-8")), reset=reset)
        bundle = Path(given["bundle"])
        if not imports:
            return []
        if missing := not_imported(bundle):
            return missing
        take_off_what_is_gone(bundle)
        name_datasets(bundle)
        return []


def digests(given: Told, own: Path) -> Digests:
    """Return the digests of what there is now; `own` is Superset's folder."""
    bundle = sorted(Path(given["bundle"]).rglob("*.yaml"))
    lock = Path(__file__).parents[2] / "locks" / "superset.txt"
    ours = [*sorted(Path(__file__).parent.glob("*.py")), lock, own / "settings.json"]
    return Digests(
        _digest([*bundle, *ours]),
        _digest([own / "logins.json"]),
        _digest(bundle, given["database"]),
    )


def noted_in(own: Path) -> Digests:
    """Return what was noted when Superset was prepared last; '' for what was not."""
    try:
        return Digests(*(own / "prepared").read_text("utf-8").split())
    except FileNotFoundError:
        return Digests()


def _digest(files: Iterable[Path], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for file in files:
        digest.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
