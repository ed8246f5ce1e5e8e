"""The environment's stamp: what is installed is not installed again."""

from pathlib import Path

import pytest

from infra.install.environment import Environment, install_packages


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    locks = tmp_path / "infra" / "locks"
    locks.mkdir(parents=True)
    for name in ("bootstrap", "main", "dev"):
        (locks / f"{name}.txt").write_text(f"{name}==1\n", "utf-8")
    (tmp_path / "pyproject.toml").touch()
    environment = Environment(tmp_path, tmp_path / ".venv")
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    return environment


def test_environment_at_its_lock_is_left_alone(environment: Environment) -> None:
    environment.stamp.write_text(environment.fingerprint("main"), "utf-8")

    assert install_packages(environment, "main") is False


def test_environment_for_tests_serves_a_plain_install_too(environment: Environment) -> None:
    environment.stamp.write_text(environment.fingerprint("dev"), "utf-8")

    assert install_packages(environment, "main") is False


def test_changed_lock_changes_the_fingerprint(environment: Environment) -> None:
    before = environment.fingerprint("main")
    environment.lock("main").write_text("main==2\n", "utf-8")

    assert environment.fingerprint("main") != before


def test_moved_checkout_changes_the_fingerprint(environment: Environment, tmp_path: Path) -> None:
    before = environment.fingerprint("main")
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))

    assert Environment(moved, moved / ".venv").fingerprint("main") != before
