"""Opens the sink of a receiver, with its secret from the environment or a file of the home."""

import json
import re
from pathlib import Path

from services.alerts.channels.apprise_sink import open_apprise
from services.alerts.channels.sink import Sink
from services.alerts.channels.webhook import Webhook
from services.alerts.configuration import Receiver
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Secrets:
    """Secrets of receivers by name; they are read when a sink is opened, and kept nowhere else."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.alerts_dir / "secrets"
        said = settings.alerts_secrets
        try:
            found = json.loads(said.get_secret_value()) if said else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            # The text itself is secret: no word of it in the error.
            raise HeadwaterError('HEADWATER_ALERTS_SECRETS is no JSON object: {"name": "secret"}')
        self._said = {str(name): str(secret) for name, secret in found.items()}

    def get(self, name: str) -> str:
        """Return a secret; raise if there is none, or everybody may read its file."""
        if name in self._said:
            return self._said[name]
        path = self._folder / name
        if not NAME.fullmatch(name) or not path.is_file():
            raise HeadwaterError(
                f"there is no secret {name!r}: write it to {path}, mode 600, or into"
                " HEADWATER_ALERTS_SECRETS"
            )
        return _read(path)


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise HeadwaterError(f"{path} is open to others: chmod 600 {path}")
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HeadwaterError(f"{path} cannot be read: {type(error).__name__}") from error


def open_sink(receiver: Receiver, secrets: Secrets) -> Sink:
    """Return a receiver's sink."""
    secret = secrets.get(receiver.secret) if receiver.secret else None
    if receiver.kind == "webhook":
        assert receiver.url is not None
        return Webhook(receiver.url, secret.encode() if secret else None, receiver.timeout)
    assert secret is not None
    return open_apprise(receiver.name, receiver.kind, secret)
