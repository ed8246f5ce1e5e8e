"""Java is looked for as the command will look for it, in the environment that was made."""

import sys
from pathlib import Path

import pytest

from infra.environment import PROJECT
from infra.install.environment import Environment
from infra.install.java import install_java
from infra.install.system import InstallError


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Return this environment, as if no Java had been looked for yet."""
    folder = tmp_path / "env"
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    return Environment(PROJECT, folder)


def test_java_that_is_there_is_noted(environment: Environment) -> None:
    assert install_java(environment) is True
    assert Path((environment.folder / ".java").read_text("utf-8")).exists()
    assert install_java(environment) is False


def test_home_that_cannot_be_is_told_as_such(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(tmp_path / "my data"))

    with pytest.raises(InstallError, match=r"^HEADWATER_HOME='.*/my data': a path with ' '"):
        install_java(environment)
