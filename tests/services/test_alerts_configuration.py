"""The file of routes: what it means, and how a mistake in it is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.alerts.configuration import serves
from services.alerts.configuration_file import (
    DEFAULT,
    ConfigurationError,
    parse_configuration,
    read_configuration,
)
from services.alerts.routing import every_route, routes_of
from tests.services.alert_parts import MINUTE, configured, life

WHOLE = """\
timing: {dedup: 10 min, resolve_after: unbounded}
receivers:
  hub: {kind: webhook, url: "https://hub.example/in", secret: hub}
  mail: {kind: email, secret: mail}
people:
  ann:
    receivers: {mail: warning}
    mute: [nights]
    limit: {messages: 4, within: 1 h}
teams:
  shift: [ann]
mute_times:
  nights: {zone: Europe/Berlin, from: "22:00", to: "06:00"}
inhibit:
  - {name: gateway, source: {rule: gateway_down}, target: {rule: stale}, equal: [zone]}
route:
  to: [hub]
  group_wait: 10 s
  routes:
    - name: pumps
      match: {product: pump, severity: [warning, critical]}
      to: [shift]
      continue: true
      escalate: [{after: 15 min, to: [hub]}]
    - name: rest
"""


def test_a_whole_file_is_read() -> None:
    found = configured(WHOLE)

    assert found.timing.dedup == 10 * MINUTE
    assert found.timing.resolve_after is None
    assert found.people["ann"].limit.messages == 4
    assert found.members("shift") == ("ann",)
    assert [route.path for route in every_route(found.route)] == ["root", "root/pumps", "root/rest"]


def test_a_route_that_says_nothing_is_as_the_one_above() -> None:
    pumps, rest = configured(WHOLE).route.routes

    assert (pumps.to, rest.to) == (("shift",), ("hub",))
    assert pumps.group_wait == rest.group_wait == timedelta(seconds=10)
    assert pumps.repeat == timedelta(hours=4)
    assert [one.path for one in routes_of(configured(WHOLE).route, life())] == [
        "root/pumps",
        "root/rest",
    ]


def test_the_shipped_file_tells_nobody(tmp_path: Path) -> None:
    found = read_configuration(tmp_path / "alerts.yaml")

    assert found == parse_configuration(DEFAULT.read_bytes(), "default.yaml")
    assert not found.route.to
    assert not found.receivers


def test_times_of_day_and_names_of_colons_need_no_quotes() -> None:
    bare = configured(WHOLE.replace('"', "").replace("product: pump", "device: 10:11:22"))

    assert bare.mute_times == configured(WHOLE).mute_times
    assert bare.route.routes[0].match.as_json()["device"] == ["10:11:22"]


def test_people_hear_of_their_tenants_alone() -> None:
    assert serves(("default",), "default")
    assert not serves(("default",), "other")
    assert serves(("*",), "other")


@pytest.mark.parametrize(
    ("before", "after", "line", "place", "fix"),
    [
        ("group_wait: 10 s", "gruop_wait: 10 s", 18, "route.gruop_wait", "did you mean group_wait"),
        ("group_wait: 10 s", "group_wait: soon", 18, "route.group_wait", "write 2 s, 5 min"),
        ("group_wait: 10 s", "group_wait: 10", 18, "route.group_wait", "such as 30 s"),
        ("group_wait: 10 s", "repeat: 0 s", 18, "route.repeat", "3650 d for never"),
        ("kind: webhook,", "kind: webhook, timeout: 0 s,", 3, "hub.timeout", "more than nothing"),
        ("mail: warning", "mail: grave", 7, "people.ann", "there are: info, warning, critical"),
        ("to: [shift]", "to: [shfit]", 22, "route.routes[0].to.shfit", "did you mean shift"),
        ("to: [hub]\n", "to: []\n  match: {rule: a}\n", 16, "route", "the root takes every alert"),
        ("product: pump", "produkt: pump", 21, "match.produkt", "did you mean product"),
        ("[warning, critical]", "[warning, grave]", 21, "severity.grave", "severity 'grave'"),
        ("name: rest", "name: pumps", 25, "route.routes[1].name", "another route"),
        ("mail: warning", "mial: warning", 7, "people.ann.receivers.mial", "did you mean mail"),
        ("mute: [nights]", "mute: [night]", 8, "people.ann.mute.night", "did you mean nights"),
        ("messages: 4", "messages: 3", 9, "people.ann.limit.messages", "at least 4"),
        ("kind: email", "kind: fax", 4, "receivers.mail.kind", "there are: webhook, email"),
        ("kind: email, secret: mail", "kind: email", 4, "receivers.mail", "Apprise URL"),
        ("https://hub", "ftp://hub", 3, "receivers.hub.url", "http://"),
        ("Europe/Berlin", "Europe/Berln", 13, "mute_times.nights.zone", "no time zone"),
        ('"22:00"', '"25:00"', 13, "mute_times.nights.from", "write 22:00"),
        ('"22:00"', "soon", 13, "mute_times.nights.from", "write 22:00"),
        ('"22:00"', '"22:00Z"', 13, "mute_times.nights.from", "a zone of its own"),
        ("equal: [zone]", "equal: [zoen]", 15, "inhibit[0].equal.zoen", "did you mean zone"),
        ("target: {rule: stale}", "target: {}", 15, "inhibit[0]", "at least one field"),
        ("shift: [ann]", "hub: [ann]", 11, "teams.hub", "taken"),
        (
            "after: 15 min, to: [hub]}",
            "after: 15 min, to: [x]}",
            24,
            "escalate[0].to.x",
            "there are",
        ),
        ("dedup: 10 min", "dedup: unbounded", 1, "timing.dedup", "must have an end"),
    ],
)
def test_a_mistake_is_told_with_its_line_place_and_fix(
    before: str, after: str, line: int, place: str, fix: str
) -> None:
    assert before in WHOLE

    with pytest.raises(ConfigurationError) as caught:
        configured(WHOLE.replace(before, after, 1))

    told = str(caught.value)
    assert place in told
    assert fix in told
    assert f"line {line}," in told


@pytest.mark.parametrize("content", [b"", b"[]", b"route: [", b"\xff\xfe\x00", b"route: {to: 5}"])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"alerts\.yaml"):
        parse_configuration(content, "alerts.yaml")


def test_the_documents_example_holds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]

    found = configured(example)

    assert {*found.people} == {"ann", "bob"}
    assert [route.path for route in every_route(found.route)][1:] == ["root/pumps", "root/tests"]
