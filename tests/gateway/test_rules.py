"""Rules: foreign payloads become messages."""

from collections.abc import Callable
from pathlib import Path

import cbor2
import orjson
import pytest

from edge.mqtt.packets import PUBACK, Ack, Publish
from edge.mqtt.wire import V5
from gateway.entrance import Foreign
from gateway.identity import Identity
from gateway.outcome import Rejected
from gateway.rules import RuleError, Translated, read_rules, translate
from gateway.rules_file import RulesFile
from telemetry.encodings import CBOR
from tests.gateway.entrances import house
from tests.gateway.mqtt.clients import Broker, Client

SONOFF: dict[str, object] = {
    "name": "sonoff",
    "topic": "tele/+/SENSOR",
    "product": "plug",
    "device": 2,
    "speakers": ["plug.hub"],
    "time": "Time",
    "metrics": {
        "power_kw": {"path": "ENERGY.Power", "unit": ["W", "kW"]},
        "temperature": {"path": "AM.0.T", "unit": ["degF", "degC"]},
        "site": {"constant": "north"},
    },
    "where": [{"path": "ENERGY.Power", "op": ">=", "value": 0}],
}
BODY = orjson.dumps(
    {"Time": "2026-11-21T08:00:00Z", "ENERGY": {"Power": 250}, "AM": [{"T": 212.0}]}
)
TOPIC = "tele/p1/SENSOR"
OWN = Identity("default", "plug.p1", "credential/x")


def rules(**changed: object) -> bytes:
    return orjson.dumps({"rules": [SONOFF | changed]})


def translated(identity: Identity = OWN, body: bytes = BODY, topic: str = TOPIC) -> object:
    return translate(read_rules(rules()), identity, topic, body)


def test_foreign_payload_becomes_a_message() -> None:
    found = translated()

    assert isinstance(found, Translated)
    assert found.device_full == "plug.p1"
    assert orjson.loads(found.payload or b"") == {
        "v": 1,
        "ts": "2026-11-21T08:00:00Z",
        "metrics": {"power_kw": 0.25, "temperature": pytest.approx(100.0), "site": "north"},
    }


@pytest.mark.parametrize(
    "moment", [1_763_712_000, "1763712000", "yesterday", True, {"at": "2026-11-21T08:00:00Z"}]
)
def test_time_that_is_none_is_told_and_not_left_out(moment: object) -> None:
    found = translated(body=orjson.dumps({"Time": moment, "ENERGY": {"Power": 250}}))

    assert isinstance(found, Rejected)
    assert (found.reason, "Time is no ISO time" in found.text) == ("undecodable", True)


def test_message_without_the_time_that_a_rule_names_has_none() -> None:
    for body in (b'{"ENERGY":{"Power":250}}', b'{"Time":null,"ENERGY":{"Power":250}}'):
        found = translated(body=body)
        assert isinstance(found, Translated)
        assert "ts" not in orjson.loads(found.payload or b"")


@pytest.mark.parametrize("said", ["hot", "NaN", "1_0", "", "true", "[1]", True])
def test_what_is_no_number_cannot_have_another_unit(said: object) -> None:
    found = translated(body=orjson.dumps({"ENERGY": {"Power": 1}, "AM": [{"T": said}]}))

    assert isinstance(found, Rejected)
    assert (found.reason, "AM.0.T is no number" in found.text) == ("undecodable", True)


def test_number_that_is_said_as_a_text_is_converted_as_one() -> None:
    found = translated(body=b'{"ENERGY":{"Power":1},"AM":[{"T":"212.0"}]}')

    assert isinstance(found, Translated)
    metrics = orjson.loads(found.payload or b"")["metrics"]
    assert metrics["temperature"] == pytest.approx(100.0)


def test_topic_without_a_rule_is_nobodys() -> None:
    assert translated(topic="tele/p1/STATE") is None


@pytest.mark.parametrize(
    ("pattern", "is_fit"),
    [("$oc/devices/+/up", True), ("+/devices/+/up", False), ("#", False), ("$oc/#", True)],
)
def test_topic_that_begins_with_a_dollar_wants_a_rule_that_names_it(
    pattern: str, is_fit: bool
) -> None:
    found = translate(read_rules(rules(topic=pattern, device=3)), OWN, "$oc/devices/p1/up", BODY)

    assert isinstance(found, Translated) == is_fit


def test_what_a_condition_leaves_out_is_no_message() -> None:
    assert translated(body=b'{"ENERGY":{"Power":-1}}') == Translated("plug.p1", None)
    assert translated(body=b'{"ENERGY":{"Power":"x"}}') == Translated("plug.p1", None)


def test_device_speaks_for_itself_or_as_a_speaker() -> None:
    hub, other = OWN._replace(device_full="plug.hub"), OWN._replace(device_full="plug.p2")

    assert isinstance(translated(hub), Translated)
    assert isinstance(translated(other), Rejected)


def test_broker_speaks_for_all_that_the_topic_names() -> None:
    found = translate(read_rules(rules()), None, "tele/p7/SENSOR", BODY)
    nameless = translate(read_rules(rules(device=None)), None, TOPIC, BODY)

    assert isinstance(found, Translated)
    assert found.device_full == "plug.p7"
    assert isinstance(nameless, Rejected)


def test_payload_that_is_a_message_stays_as_it_is() -> None:
    plain = b'{"rules":[{"name":"r","topic":"site/+/up","device":2,"payload":"message"}]}'
    body = b'{"seq":1,"metrics":{"a":1}}'

    assert translate(read_rules(plain), None, "site/d1/up", body) == Translated("d1", body)


def test_rule_sends_what_is_no_reading_to_uplink() -> None:
    changed = {"name": "states", "payload": "message", "to": "uplink", "metrics": {}, "where": []}
    plain = SONOFF | changed
    del plain["time"]
    one = house()
    one.entrance.rules = read_rules(orjson.dumps({"rules": [plain]}))

    said = Foreign(OWN, TOPIC, b"\xff no message", "mqtt")
    assert one.entrance.foreign(said, now=0, settle=lambda *_: None) is None

    (sent,) = one.outlet.taken
    assert (sent.topic, sent.key, sent.value) == ("uplink", b"plug.p1", b"\xff no message")
    assert sent.headers["channel"] == b"states"


@pytest.mark.parametrize(
    "changed",
    [
        {"payload": "message"},
        {"topic": "a#"},
        {"metrics": {}},
        {"metrics": {"a": {}}},
        {"metrics": {"a": {"path": "x", "unit": ["ell", "cubit"]}}},
        {"where": [{"path": "a", "op": "~", "value": 1}]},
        {"colour": "red"},
        {"to": "registry.changes", "name": "r"},
        {"to": "telemetry.dead"},
        {"to": "__consumer_offsets"},
        {"to": ".."},
        {"to": ""},
        {"to": "my topic"},
        {"to": "uplink", "name": "telemetry"},
    ],
)
def test_rule_that_does_not_hold_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(RuleError):
        read_rules(rules(**changed))


def test_file_is_read_again_when_it_changes_and_kept_when_it_breaks(tmp_path: Path) -> None:
    file = RulesFile(tmp_path / "rules.json")
    assert not file.refresh()

    (tmp_path / "rules.json").write_bytes(rules())
    assert file.refresh()
    assert not file.refresh()
    (tmp_path / "rules.json").write_bytes(b"{")
    assert not file.refresh()
    assert [rule.name for rule in file.rules] == ["sonoff"]
    (tmp_path / "rules.json").unlink()
    assert file.refresh()
    assert file.rules == ()


def looped(path: Path) -> None:
    path.symlink_to(path)


def of_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("broken", [looped, of_folder])
def test_file_that_cannot_be_read_is_told_of_once_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: Callable[[Path], None]
) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(rules())
    file = RulesFile(path)
    file.refresh()
    path.unlink()
    broken(path)

    assert [file.refresh() for _ in range(3)] == [False] * 3
    assert [rule.name for rule in file.rules] == ["sonoff"]
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_foreign_topic_is_published_as_its_devices_message() -> None:
    one = house(is_anonymous=True)
    one.entrance.rules = read_rules(rules())
    client = Client(Broker(one), V5)
    client.connect(device="plug.p1")

    answers = client.send(Publish(TOPIC, BODY, 1, 1), Publish("tele/p2/SENSOR", BODY, 1, 2))

    codes = [answer.code for answer in answers if isinstance(answer, Ack)]
    assert codes == [0, 0x87]
    assert answers[0].kind == PUBACK  # type: ignore[union-attr]
    assert [taken.key for taken in one.outlet.taken] == [b"plug.p1"]
    assert b'"power_kw":0.25' in one.outlet.taken[0].value


def test_message_on_a_foreign_topic_keeps_its_form() -> None:
    one = house(is_anonymous=True)
    one.entrance.rules = read_rules(
        b'{"rules":[{"name":"r","topic":"site/+/up","device":2,"payload":"message"}]}'
    )
    client = Client(Broker(one), V5)
    client.connect(device="d1")
    body = cbor2.dumps({"metrics": {"a": 1}})

    answers = client.send(Publish("site/d1/up", body, 1, 1), Publish("site/d1/up", b"", 1, 2))

    assert [answer.code for answer in answers if isinstance(answer, Ack)] == [0, 0x99]
    assert [taken.headers["content_type"] for taken in one.outlet.taken[:1]] == [CBOR.encode()]
    assert one.outlet.taken[0].value == body
