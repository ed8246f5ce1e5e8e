"""The entry of `spark-submit`: exit codes."""

from pathlib import Path

import pytest

from spark_jobs.main import main


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("replay",), "name the range"),
        (("replay", "--from", "2026-11-22", "--to", "2026-11-21"), "is after"),
        (("replay", "--rejected", "--in-place"), "leave the place out"),
        (("backfill",), "needs dates"),
        (("backfill", "--from", "2026-11-22", "--to", "2026-11-21"), "is after"),
        (("rebuild-gold",), "name the days"),
        (("dedup", "--from", "9999-12-31"), "9999-12-31 is not over"),
        (("compact", "--tables", "silver.reading"), "no table silver.reading"),
    ],
)
def test_words_that_do_not_go_together_are_wrong_use(
    words: tuple[str, ...],
    said: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(home))
    monkeypatch.setenv("HEADWATER_JOB_NICE", "0")

    code = main(words)

    assert code == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_done_is_no_wrong_use(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWATER_HOME", str(home))

    code = main(("vacuum", "--hours", "1"))

    assert code == 1
    assert "--hours 1 is below 24" in capsys.readouterr().err
