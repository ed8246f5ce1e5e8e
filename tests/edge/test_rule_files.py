"""Rules as files: put once, read whole, and what is wrong with one."""

from pathlib import Path

import pytest

from edge.rule_files import RuleFiles
from telemetry.errors import HeadwaterError, RuleError
from telemetry.rules.checks import Threshold
from telemetry.rules.rule import Rule, VersionedRule


def hot(bound: float = 90.0, *, version: int = 1, tenant: str = "default") -> VersionedRule:
    rule = Rule(name="hot", tenant=tenant, metrics=("temperature",), check=Threshold(bound))
    return VersionedRule(rule, version)


def test_rule_is_written_once_and_read_back(tmp_path: Path) -> None:
    files = RuleFiles(tmp_path)
    assert files.put(hot())
    assert not files.put(hot())
    assert files.put(hot(95.0, version=2))
    assert files.put(hot(tenant="acme"))
    assert files.rules() == {
        ("acme", "hot"): hot(tenant="acme"),
        ("default", "hot"): hot(95.0, version=2),
    }


def test_fingerprint_changes_with_each_change(tmp_path: Path) -> None:
    files = RuleFiles(tmp_path)
    seen = {files.fingerprint()}
    for version in (1, 2):
        files.put(hot(version=version))
        seen.add(files.fingerprint())
    assert len(seen) == 3


def test_bad_file_is_named_and_gives_way_to_what_holds(tmp_path: Path) -> None:
    path = tmp_path / "rules" / "default" / "hot.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"rule": "hot"}')
    files = RuleFiles(tmp_path)
    with pytest.raises(RuleError, match=r"hot.json: rule hot: check: is missing"):
        files.rules()
    assert files.put(hot())
    assert files.rules() == {("default", "hot"): hot()}


def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("")
    with pytest.raises(HeadwaterError, match="the rule cannot be written"):
        RuleFiles(tmp_path).put(hot())


def test_folder_that_has_been_there_and_is_away_is_not_taken_for_no_rules(tmp_path: Path) -> None:
    files = RuleFiles(tmp_path)
    assert files.rules() == {}
    files.put(hot())
    seen = files.fingerprint()
    (tmp_path / "rules").rename(tmp_path / "away")
    with pytest.raises(RuleError, match="cannot be read"):
        files.rules()
    with pytest.raises(RuleError, match="cannot be read"):
        files.fingerprint()
    (tmp_path / "away").rename(tmp_path / "rules")
    assert files.fingerprint() == seen
