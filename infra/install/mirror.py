"""Where packages come from, and how they are put in place: what Python is told, said to uv."""

import ast
import subprocess
from collections.abc import Mapping
from pathlib import Path

LEVELS = ("global", "install", ":env:")
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
LISTS_WITH_COMMAS = {"UV_FIND_LINKS"}


def pip_settings(python: Path) -> dict[str, str]:
    """Read pip's settings from its files and its environment, as pip itself merges them."""
    done = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    return parse_pip_settings(done.stdout)


def parse_pip_settings(listing: str) -> dict[str, str]:
    """Turn `global.index-url='…'` lines into names and values; the environment wins."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        level, _, key = name.rpartition(".")
        if level in LEVELS and (rank := LEVELS.index(level)) >= found.get(key, (0, ""))[0]:
            found[key] = (rank, str(ast.literal_eval(value)))
    return {key: value for key, (_, value) in found.items()}


def uv_variables(pip: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return uv's variables for pip's settings; those that are given already stay."""
    wanted = {
        uv_name: ",".join(pip[key].split()) if uv_name in LISTS_WITH_COMMAS else pip[key]
        for key, uv_name in UV_NAMES.items()
        if pip.get(key)
    }
    if "UV_INDEX" in wanted:
        # pip takes the best of all indexes; hashes hold either way.
        wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if SYSTEM_CERTIFICATES.exists():
        wanted["UV_SYSTEM_CERTS"] = "true"
    if given.get(NO_BYTECODE):
        # Python would compile each package anew at each start: seconds for every process.
        wanted["UV_COMPILE_BYTECODE"] = "true"
    return {name: value for name, value in wanted.items() if name not in given}
