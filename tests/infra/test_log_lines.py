"""Lines of logs that are rotated."""

from pathlib import Path

from infra.log_lines import follow, last_lines


def test_last_lines_reach_into_the_rotated_file(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    (tmp_path / "x.log.1").write_text("1\n2\n")
    log.write_text("3\n")
    assert last_lines(log, 2) == ["2", "3"]
    assert last_lines(log, 0) == []


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"\xff\n")
    assert last_lines(log, 1) == ["\ufffd"]


def test_following_begins_now_and_goes_over_to_the_new_file(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("old\n")
    lines = follow(log)
    with log.open("a") as more:
        more.write("last\n")
    assert next(lines) == "last"
    log.rename(tmp_path / "x.log.1")
    log.write_text("new\n")
    assert next(lines) == "new"
    lines.close()
