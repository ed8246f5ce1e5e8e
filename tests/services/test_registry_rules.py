"""Rules in the registry: versions, history, on and off, topic and files."""

from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from edge.rule_files import RuleFiles
from services.registry.routes.rules import RuleIn
from services.registry.tables import metadata
from telemetry.changes import RuleBody
from telemetry.rules.checks import Threshold
from telemetry.rules.rule import Rule, VersionedRule
from tests.services.registry_parts import TestedRegistry

HOT = {"metric": "temperature", "check": {"kind": "threshold", "bound": 90}}
PATH = "/v1/rules/hot"


def rule(bound: float = 90.0) -> Rule:
    return Rule(name="hot", metrics=("temperature",), check=Threshold(bound))


def files(registry: TestedRegistry) -> RuleFiles:
    return RuleFiles(registry.home / "registry")


def hotter(bound: float) -> dict[str, object]:
    return {**HOT, "check": {"kind": "threshold", "bound": bound}}


def test_rule_is_added_off_and_switched_and_each_declaration_is_a_version(
    either: TestedRegistry,
) -> None:
    added = either.done("PUT", PATH, HOT)
    assert (added["version"], added["is_on"]) == (1, False)
    assert either.done("POST", f"{PATH}/on")["is_on"] is True
    assert either.done("PUT", PATH, HOT)["edition"] == either.edition()
    changed = either.done("PUT", PATH, hotter(95))
    assert (changed["version"], changed["is_on"]) == (2, True)
    off = either.done("PUT", f"{PATH}?on=false", hotter(96))
    assert (off["version"], off["is_on"]) == (3, False)
    assert either.done("GET", PATH) == off
    assert either.ask("GET", "/v1/rules").json() == [off]


def test_every_field_of_a_rule_can_be_said(either: TestedRegistry) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(Rule)}
    assert {*RuleIn.model_fields} == (fields - {"rule", "tenant"}) | {"metric"}
    fast = either.done("PUT", PATH, {**HOT, "lane": "fast", "connected_within": "10 min"})
    declared = fast["declaration"]
    assert isinstance(declared, dict)
    assert (declared["lane"], declared["connected_within"]) == ("fast", "10 min")


def test_history_says_what_a_rule_was_and_who_made_it_so(either: TestedRegistry) -> None:
    either.done("PUT", PATH, HOT)
    either.done("POST", f"{PATH}/on")
    either.done("POST", f"{PATH}/on")
    either.done("PUT", PATH, hotter(95))
    either.done("POST", f"{PATH}/off")
    past = either.ask("GET", f"{PATH}/versions").json()
    said = [(one["action"], one["version"], one["is_on"]) for one in past]
    assert said == [("off", 2, False), ("change", 2, True), ("on", 1, True), ("add", 1, False)]
    bounds = [one["declaration"]["check"]["bound"] for one in past]
    assert bounds == [95.0, 95.0, 90.0, 90.0]
    assert {one["actor"] for one in past} == {past[0]["actor"]}


def test_rule_reaches_topic_and_files(registry: TestedRegistry) -> None:
    registry.done("PUT", f"{PATH}?on=true", HOT)
    registry.follower.follow()
    body = registry.topic.held()[b"rule/default/hot"].body
    assert isinstance(body, RuleBody)
    assert body.kept() == VersionedRule(rule(), 1, True)
    assert files(registry).rules() == {("default", "hot"): body.kept()}
    edition = registry.edition()
    registry.follower.follow()
    assert registry.edition() == edition


def test_rule_that_was_written_without_a_registry_is_taken_up(registry: TestedRegistry) -> None:
    files(registry).put(VersionedRule(rule(), 4, True))
    registry.follower.follow()
    found = registry.done("GET", PATH)
    assert (found["version"], found["is_on"]) == (4, True)
    path = files(registry).path_of(VersionedRule(rule()))
    path.write_text(path.read_text().replace("90", "91"))
    registry.follower.follow()
    assert registry.done("GET", PATH)["version"] == 5
    assert files(registry).rules()["default", "hot"] == VersionedRule(rule(91.0), 5, True)


def test_bad_rule_file_holds_up_nothing_else(registry: TestedRegistry) -> None:
    folder = registry.home / "registry" / "rules" / "default"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    files(registry).put(VersionedRule(rule()))
    registry.done("PUT", "/v1/devices/m1", {})
    registry.follower.follow()
    assert registry.ask("GET", PATH).status_code == 200
    assert b"device/default/m1" in registry.topic.held()


@pytest.mark.parametrize(
    ("request_line", "body", "status", "detail"),
    [
        (f"GET {PATH}", None, 404, "there is no rule 'hot'"),
        (f"GET {PATH}/versions", None, 404, "there is no rule 'hot'"),
        (f"POST {PATH}/on", None, 404, "there is no rule 'hot'"),
        (f"PUT {PATH}", {**HOT, "check": {"kind": "threshold"}}, 422, "check.bound: is missing"),
        (f"PUT {PATH}", {**HOT, "colour": 1}, 422, "body.colour"),
        (f"PUT {PATH}", {**HOT, "scope": {"product": "pump"}}, 404, "there is no product 'pump'"),
        (f"PUT {PATH}", {**HOT, "scope": {"product": "meter"}}, 422, "has no metric 'temperatur"),
        (f"PUT {PATH}?tenant=nope", HOT, 404, "there is no tenant 'nope'"),
        ("PUT /v1/rules/a%20b", HOT, 422, "path.rule"),
    ],
)
def test_what_cannot_be_done_is_a_problem(
    registry: TestedRegistry, request_line: str, body: object, status: int, detail: str
) -> None:
    registry.meter()
    method, path = request_line.split()
    answer = registry.ask(method, path, body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert registry.ask("GET", "/v1/rules").json() == []


def test_viewer_reads_and_operator_writes_in_their_tenant(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/tenants/acme", {})
    viewer, operator = registry.key("viewer", "acme"), registry.key("operator", "acme")
    assert registry.ask("PUT", PATH, HOT, key=viewer).status_code == 403
    assert registry.ask("PUT", PATH, HOT, key=operator).json()["tenant"] == "acme"
    assert registry.ask("GET", PATH, key=viewer).status_code == 200
    assert registry.ask("GET", PATH).status_code == 404


def test_migrations_make_the_tables_that_are_declared(
    either: TestedRegistry, tmp_path: Path
) -> None:
    with either.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
        assert (
            connection.execute(text("select version_num from alembic_version")).scalar() == "0002"
        )
