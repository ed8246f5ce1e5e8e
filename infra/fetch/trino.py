"""Trino unpacked from its archive, with the plugins that Headwater does not use taken away."""

import shutil
import subprocess
from pathlib import Path

from infra.fetch.download import FetchError
from infra.fetch.lock import Artifact
from infra.fetch.paths import trino_marker
from telemetry.settings import Settings

PLUGINS = frozenset(
    {
        "delta-lake",
        "geospatial",
        "memory",
        "password-authenticators",
        "resource-group-managers",
        "tpch",
    }
)


def is_unpacked(artifact: Artifact, settings: Settings) -> bool:
    """Say whether this very archive has been unpacked whole."""
    marker = trino_marker(settings)
    return marker.is_file() and marker.read_text("utf-8").strip() == artifact.sha256


def unpack(archive: Path, artifact: Artifact, settings: Settings) -> None:
    """Unpack the whole archive beside its place, prune it, and move it there."""
    target = settings.trino_dir
    staging = target.with_name(f"{target.name}.unpacking")
    for leftover in (staging, target):
        shutil.rmtree(leftover, ignore_errors=True)
    staging.mkdir(parents=True)
    # Plugins are hard links into one another: all must be there before some go.
    _extract(archive, staging)
    (unpacked,) = staging.iterdir()
    _prune(unpacked / "plugin")
    (unpacked / trino_marker(settings).name).write_text(f"{artifact.sha256}\n", "utf-8")
    unpacked.rename(target)
    staging.rmdir()
    archive.unlink()


def _prune(plugins: Path) -> None:
    for plugin in plugins.iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)


def _extract(archive: Path, folder: Path) -> None:
    command = ["tar", "-xzf", str(archive), "-C", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise FetchError(
            f"{archive.name} could not be unpacked ({reason}): free some space, or set "
            "HEADWATER_CACHE to a folder on another disk, and fetch again"
        )
