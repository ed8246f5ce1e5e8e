"""Words of `headwater publish` that cannot be done are told before anything is sent."""

from pathlib import Path

import pytest

from tests.infra.publishing import light_home


@pytest.mark.parametrize(
    ("option", "word", "said"),
    [
        ("--encoding", "rot13", "has no lines to be read one by one"),
        ("--encoding", "utf-16", "iconv -f utf-16 -t utf-8 FILE | headwater publish -"),
        ("--encoding", "utf-9", "is not known"),
        ("--rate", "inf", "without it, as many as will go"),
        ("--rate", "nan", "without it, as many as will go"),
    ],
)
def test_word_that_cannot_be_done_is_wrong_use(
    tmp_path: Path, option: str, word: str, said: str
) -> None:
    home = light_home(tmp_path)
    result = home.publish(home.file("a.csv", "device,x\nd,1\n"), option, word, code=2)

    assert said in result.stderr
    assert home.records() == []


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8-sig", "shift_jis", "gb18030"])
def test_file_of_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    home = light_home(tmp_path)
    path = home.file("a.csv", "device,x\nd,1\n".encode(encoding))
    home.publish(path, "--encoding", encoding)

    assert [message["metrics"] for message in home.messages()] == [{"x": 1.0}]


def test_ledger_that_is_published_itself_is_refused(tmp_path: Path) -> None:
    home = light_home(tmp_path)
    path = home.file("a.csv", "device,x\nd,1\n")
    result = home.publish(path, "--ledger", path, code=1)

    assert "is published itself: name another file" in result.stderr
    assert Path(path).read_text() == "device,x\nd,1\n"
    assert home.records() == []
