"""Settings come from the environment, with defaults that run on one machine."""

import re
from pathlib import Path

import pytest

from telemetry.settings import PORT_NAMES, Settings


def test_ports_count_up_from_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_PORT_BASE", "21000")

    settings = Settings()

    assert [settings.port(name) for name in PORT_NAMES[:2]] == [21000, 21001]
    assert settings.kafka_bootstrap == "127.0.0.1:21000"


@pytest.mark.parametrize("odd", [" ", "ü", "%", "["])
def test_a_home_whose_tables_nobody_would_find_is_refused(tmp_path: Path, odd: str) -> None:
    with pytest.raises(ValueError, match=rf"a path with '{re.escape(odd)}' cannot hold tables"):
        Settings(home=tmp_path / f"my{odd}data")


def test_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert Settings(home=Path("here")).lake_root == str(tmp_path / "here" / "lake")


def test_variable_that_is_set_to_nothing_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "PORT_BASE", "KAFKA", "GATEWAY_HOST"):
        monkeypatch.setenv(f"HEADWATER_{name}", "")

    settings = Settings()

    assert (settings.home, settings.port_base) == (tmp_path / ".headwater", 18000)
    assert (settings.kafka, settings.gateway_host) == (None, "127.0.0.1")
