"""Where the home holds what each part of a stack keeps."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

_PLAIN = re.compile(r"[A-Za-z0-9/._~+@=,-]+")


def absolute(path: Path) -> Path:
    """Return the whole path; raise where the lake's tables could not be found again.

    delta-rs hands out paths with other characters in the form of a URL, which readers do not find.
    """
    try:
        whole = path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("there is no home folder for `~`: set HOME, or a whole path") from error
    if odd := _PLAIN.sub("", str(whole)):
        raise ValueError(
            f"a path with {odd[0]!r} cannot hold tables: take one of letters, digits and /._~+@=,-"
        )
    return whole


class HomeParts:
    """The folders and files of whatever knows its home."""

    if TYPE_CHECKING:
        home: Path

    @property
    def registry_dir(self) -> Path:
        """Product and device files."""
        return self.home / "registry"

    @property
    def registry_admin_key_file(self) -> Path:
        """The API key that the registry's first start made."""
        return self.registry_dir / "admin.key"

    @property
    def gateway_dir(self) -> Path:
        """What the gateway keeps: its tools' key, sessions, its own spool."""
        return self.home / "gateway"

    @property
    def bridge_dir(self) -> Path:
        """What the bridge keeps: its session's name, its own spool."""
        return self.home / "bridge"

    @property
    def query_key_file(self) -> Path:
        """The query service's own API key, where there is no registry."""
        return self.home / "query" / "api.key"

    @property
    def alerts_dir(self) -> Path:
        """What the alerts service keeps: its database, its file, secrets of receivers."""
        return self.home / "alerts"

    @property
    def model_dir(self) -> Path:
        """Trained models that rules ask, each a file named after its model."""
        return self.home / "models"

    @property
    def spool_dir(self) -> Path:
        """Durable segments of the light path."""
        return self.home / "spool"

    @property
    def checkpoint_dir(self) -> Path:
        """Checkpoints of the streams, a folder a query."""
        return self.home / "checkpoints"

    @property
    def progress_dir(self) -> Path:
        """One JSON file a stream: its newest progress, replaced atomically."""
        return self.home / "progress"
