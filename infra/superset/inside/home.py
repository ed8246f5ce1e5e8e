"""What the stack has written down for Superset, in its folder of the home."""

import json
import os
from pathlib import Path
from typing import TypedDict


class Told(TypedDict):
    """The stack's settings for Superset."""

    secret_key: str
    database: str
    trino: str
    bundle: str
    port: int
    alerts: str
    data_docs: str


def folder() -> Path:
    """Return Superset's folder, by the variable that Superset itself reads."""
    return Path(os.environ["SUPERSET_HOME"])


def told() -> Told:
    """Return what the stack has written down."""
    found: Told = json.loads((folder() / "settings.json").read_bytes())
    return found
