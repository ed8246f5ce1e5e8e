"""The environment's stamp: what is installed is not installed again."""

from pathlib import Path

import pytest

from infra.install.environment import Environment, install_packages
from infra.install.mirror import NO_BYTECODE


@pytest.fixture(params=["", "1"])
def may_keep_nothing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether Python may not keep what it compiles: either."""
    monkeypatch.setenv(NO_BYTECODE, request.param)
    return bool(request.param)


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


def stamp(environment: Environment, name: str, *, is_compiled: bool) -> None:
    environment.stamp.write_text(environment.fingerprint(name, is_compiled=is_compiled), "utf-8")


def test_environment_at_its_lock_is_left_alone(
    environment: Environment, may_keep_nothing: bool
) -> None:
    stamp(environment, "main", is_compiled=may_keep_nothing)

    assert install_packages(environment, "main") is False


def test_environment_for_tests_serves_a_plain_install_too(
    environment: Environment, may_keep_nothing: bool
) -> None:
    stamp(environment, "dev", is_compiled=may_keep_nothing)

    assert install_packages(environment, "main") is False


@pytest.mark.usefixtures("may_keep_nothing")
def test_compiled_packages_serve_whatever_python_may_keep(environment: Environment) -> None:
    stamp(environment, "main", is_compiled=True)

    assert install_packages(environment, "main") is False


def test_packages_that_are_not_compiled_are_another_installation(environment: Environment) -> None:
    compiled, plain = (environment.fingerprint("main", is_compiled=each) for each in (True, False))

    assert compiled != plain


def test_changed_lock_changes_the_fingerprint(environment: Environment) -> None:
    before = environment.fingerprint("main", is_compiled=True)
    environment.lock("main").write_text("main==2\n", "utf-8")

    assert environment.fingerprint("main", is_compiled=True) != before


def test_moved_checkout_changes_the_fingerprint(environment: Environment, tmp_path: Path) -> None:
    before = environment.fingerprint("main", is_compiled=True)
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))

    assert Environment(moved, moved / ".venv").fingerprint("main", is_compiled=True) != before
