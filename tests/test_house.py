"""Rules of this checkout that no linter knows."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGES = (
    "telemetry", "detection", "edge", "expectations", "gateway", "infra", "orchestration",
    "services", "simulator", "spark_jobs",
)  # fmt: skip
# Written in pieces, so that this file holds none of them.
REGISTRIES = [
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("maven", "apache", "org"),
        ("maven", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("npmjs", "org"),
        ("crates", "io"),
        ("golang", "org"),
        ("debian", "org"),
    )
]
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:work|root|home)/\w")
SETTINGS = "telemetry/settings.py"
INSTALL = "infra/install/"
SUPERSET = "infra/superset/inside/"
"""It runs in Superset's own environment, which has not the libraries of ours."""
"""The installation runs before there are settings."""


@cache
def tracked() -> tuple[Path, ...]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    paths = (CHECKOUT / name for name in listing.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def name(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            yield name(path), content.decode("utf-8")


NOTED = (ast.Call, ast.Subscript, ast.Attribute, ast.Import, ast.ImportFrom)
"""What may read a variable, build a session or import: one node in three."""


@dataclass
class Found:
    """What the modules of our packages do, by file; each is parsed and walked once."""

    reads_environment: set[str] = field(default_factory=set)
    builds_session: set[str] = field(default_factory=set)
    imports: dict[str, set[str]] = field(default_factory=dict)
    """The modules that a file imports, and `module.name` for each name that it takes of one."""

    def note(self, file: str, node: ast.AST) -> None:
        if reads_environment(node):
            self.reads_environment.add(file)
        if builds_session(node):
            self.builds_session.add(file)
        self.imports[file].update(imported(node))


@cache
def found() -> Found:
    made = Found()
    for path in tracked():
        if path.suffix == ".py" and name(path).startswith(PACKAGES):
            made.imports[name(path)] = set()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, NOTED):
                    made.note(name(path), node)
    return made


def reads_environment(node: ast.AST) -> bool:
    """Say whether the node takes one variable; handing all on to a child is no reading."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name("os"), attr="getenv")):
            return True
        case ast.Call(func=ast.Attribute(ast.Attribute(ast.Name("os"), "environ"), "get")):
            return True
        case ast.Subscript(ast.Attribute(ast.Name("os"), "environ"), ctx=ast.Load()):
            return True
    return False


def builds_session(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "builder"
        and ast.unparse(node.value).endswith("SparkSession")
    )


def test_no_registry_is_named() -> None:
    named = [
        (file, host)
        for file, text in texts()
        for host in REGISTRIES
        if host in text and re.search(rf"(?<![\w-]){re.escape(host)}\b", text)
    ]
    assert named == []


def test_no_path_of_a_machine_is_named() -> None:
    named = [
        (file, match.group()) for file, text in texts() for match in MACHINE_PATHS.finditer(text)
    ]
    assert named == []


def test_environment_is_read_in_settings_alone() -> None:
    elsewhere = (INSTALL, SUPERSET)
    readers = {file for file in found().reads_environment if not file.startswith(elsewhere)}
    assert readers - {SETTINGS} == set()


def test_spark_session_is_built_in_one_place() -> None:
    assert found().builds_session <= {"spark_jobs/session.py"}


def test_only_spark_jobs_writes_the_lake() -> None:
    writers = {
        file for file, names in found().imports.items() if "deltalake.write_deltalake" in names
    }
    assert all(file.startswith("spark_jobs/") for file in writers)


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        file: text.count("\n")
        for file, text in texts()
        if file.endswith(".py") and text.count("\n") > 300
    }
    assert long == {}


def test_imports_go_down_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-logo"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("lock", ["bootstrap", "main", "dev"])
def test_lock_holds_what_is_asked_for_by_hash(lock: str) -> None:
    locks = CHECKOUT / "infra" / "locks"
    pinned = re.split(r"\n(?=\S)", (locks / f"{lock}.txt").read_text("utf-8").strip())
    names = {line.partition("==")[0].partition("[")[0] for line in pinned}

    assert all("--hash=sha256:" in line for line in pinned)
    assert requirements(locks / f"{lock}.in") <= names


def requirements(file: Path) -> set[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return {re.split(r"[\[<>=!~; ]", line)[0] for line in lines if line}


IMPORTED_AS = {"delta-spark": "delta", "kafka-python": "kafka", "pyjwt": "jwt", "pyyaml": "yaml",
               "scikit-learn": "sklearn"}  # fmt: skip
SELDOM_IMPORTED = {
    "dagster-webserver": "a process of its own",
    "pandas": "pyspark and Great Expectations ask for it; the pin keeps it below 3",
    "psycopg": "SQLAlchemy loads it for a PostgreSQL URL",
    "setuptools": "puts this checkout on the path",
    "websockets": "uvicorn speaks WebSocket with it",
}


def test_every_package_asked_for_is_used() -> None:
    roots = {alias.partition(".")[0] for names in found().imports.values() for alias in names}
    texts_of_ours = "".join(text for file, text in texts() if file.endswith(".py"))
    unused = {
        package
        for package in requirements(CHECKOUT / "infra" / "locks" / "main.in")
        if package not in SELDOM_IMPORTED
        if (module := IMPORTED_AS.get(package, package.replace("-", "_"))) not in roots
        if f'"{module}"' not in texts_of_ours
    }
    assert unused == set()


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []
