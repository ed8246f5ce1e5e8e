"""Superset's secrets: made at the first start, random, kept for the home's owner alone."""

import json
import secrets
from pathlib import Path

from edge.key_file import write_secret
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

PEOPLE = ("admin", "editor", "viewer")
PASSWORD_BYTES = 18
SECRET_KEY_BYTES = 48


def logins_file(settings: Settings) -> Path:
    """Return where the first passwords are kept."""
    return settings.home / "superset" / "logins.json"


def make_logins(settings: Settings) -> None:
    """Draw a password for each of Superset's people, unless it was done before."""
    path = logins_file(settings)
    if not path.exists():
        drawn = {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in PEOPLE}
        write_secret(path, json.dumps(drawn, indent=1) + "\n")


def read_logins(settings: Settings) -> dict[str, str]:
    """Return the passwords by name; raise if Superset was never started here."""
    path = logins_file(settings)
    try:
        found: dict[str, str] = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise HeadwaterError(f"{path} is not there: Superset's first start makes it") from error
    except (OSError, ValueError) as error:
        raise HeadwaterError(f"{path} cannot be read: remove it, then start Superset") from error
    return found


def secret_key(settings: Settings) -> str:
    """Return the key that signs sessions; drawn at the first start, and kept."""
    path = settings.home / "superset" / "secret.key"
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(SECRET_KEY_BYTES) + "\n")
    return path.read_text("utf-8").strip()
