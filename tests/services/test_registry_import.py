"""Devices by the thousand: what is wrong with them is said before the first one is enrolled."""

import csv
import io
from collections.abc import Mapping

import orjson
import pytest

from services.problems import LARGEST_BODY
from services.registry.bulk import GROUP
from telemetry.changes import DeviceBody
from tests.services.registry_parts import TestedRegistry

NDJSON = {"Content-Type": "application/x-ndjson"}
IMPORTS = "/v1/imports"


def states(registry: TestedRegistry) -> dict[str, bool]:
    """Return which devices are disabled."""
    listed = registry.ask("GET", "/v1/devices").json()["devices"]
    return {one["device_full"]: one["is_disabled"] for one in listed}


def lines(*devices: Mapping[str, object]) -> bytes:
    return b"".join(orjson.dumps(device) + b"\n" for device in devices)


def test_import_says_how_far_it_is_and_what_comes_out_goes_in_again(
    either: TestedRegistry,
) -> None:
    fleet = lines(*({"device": f"m{number}", "zone": "north"} for number in range(GROUP + 1)))
    answer = either.ask("POST", IMPORTS, fleet, headers=NDJSON)
    told = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [(one["read"], one["of"], one["written"]) for one in told] == [
        (GROUP, GROUP + 1, GROUP),
        (GROUP + 1, GROUP + 1, GROUP + 1),
    ]

    for form in ("ndjson", "csv"):
        out = either.ask("GET", f"/v1/export?format={form}").content
        again = either.ask("POST", IMPORTS, out, headers=NDJSON)
        assert orjson.loads(again.content.splitlines()[-1])["written"] == 0


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_disabled_device_comes_out_and_goes_in_disabled(either: TestedRegistry, form: str) -> None:
    either.ask("POST", IMPORTS, lines({"device": "m1"}, {"device": "m2"}), headers=NDJSON)
    either.done("POST", "/v1/devices/m2/disable")
    out = either.ask("GET", f"/v1/export?format={form}").content
    either.done("POST", "/v1/devices/m2/enable")
    either.done("POST", "/v1/devices/m1/disable")

    either.ask("POST", IMPORTS, out, headers=NDJSON)

    assert states(either) == {"m1": True, "m2": True}
    either.follower.follow()
    body = either.topic.held()[b"device/default/m2"].body
    assert isinstance(body, DeviceBody)
    assert body.is_disabled


@pytest.mark.parametrize(("said", "is_disabled"), [(True, True), ("TRUE", True), (False, False)])
def test_import_says_of_a_new_device_whether_it_is_disabled(
    registry: TestedRegistry, said: object, is_disabled: bool
) -> None:
    fleet = lines({"device": "m1", "is_disabled": said}, {"device": "m2"})

    answer = registry.ask("POST", f"{IMPORTS}?with_secrets=true", fleet, headers=NDJSON)

    assert states(registry) == {"m1": is_disabled, "m2": False}
    issued = orjson.loads(answer.content)["issued"]
    named = {one["device_full"] for one in issued}
    assert named == ({"m2"} if is_disabled else {"m1", "m2"})


def test_device_that_was_revoked_gets_no_secret_by_an_import(registry: TestedRegistry) -> None:
    registry.done("PUT", "/v1/devices/m1", {})
    registry.done("POST", "/v1/devices/m1/revoke")

    answer = registry.ask(
        "POST", f"{IMPORTS}?with_secrets=true", lines({"device": "m1"}), headers=NDJSON
    )

    assert orjson.loads(answer.content)["issued"] == []
    assert states(registry) == {"m1": True}


def test_what_is_neither_true_nor_false_is_refused(registry: TestedRegistry) -> None:
    fleet = lines({"device": "m1", "is_disabled": "perhaps"})

    answer = registry.ask("POST", IMPORTS, fleet, headers=NDJSON)

    assert (answer.status_code, "neither true nor false" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("fleet", "zone"),
    [
        (lines({"device": "m1", "firmware": "2"}), "north"),
        (lines({"device": "m1", "firmware": "2", "zone": None}), None),
        (b"device,firmware\nm1,2\n", "north"),
        (b"device,firmware,zone\nm1,2,\n", None),
        (lines({"device": "m1", "firmware": "2"}, {"device": "m1", "customer": "c"}), "north"),
    ],
)
def test_what_a_line_does_not_say_stays_as_it_is(
    either: TestedRegistry, fleet: bytes, zone: str | None
) -> None:
    either.done("PUT", "/v1/devices/m1", {"zone": "north", "lat": 48.0, "durability": "consumer"})

    either.ask("POST", IMPORTS, fleet, headers=NDJSON)

    found = either.done("GET", "/v1/devices/m1")
    assert (found["zone"], found["lat"], found["firmware"]) == (zone, 48.0, "2")
    assert found["durability"] == "consumer"


def test_import_may_be_larger_than_any_other_request(registry: TestedRegistry) -> None:
    fleet = lines({"device": "m1"}) + b" " * (LARGEST_BODY + 1) + b"\n"

    answer = registry.ask("POST", IMPORTS, fleet, headers=NDJSON)

    assert orjson.loads(answer.content.splitlines()[-1])["written"] == 1


STRANGE = (
    "=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''", "'", "''-2", "'north", " north ", "' ", " ",
    "' north", "'' north", "'\xa0'", "n\u2028\x85o", "Häfen ⚓ 東",
    '=HYPERLINK("http://x","a")', "a,b", 'a"b', "x" * 255 + "'", "=" * 256,
)  # fmt: skip


def test_csv_has_no_formulas_and_is_read_as_it_was(either: TestedRegistry) -> None:
    fleet = lines(
        *(
            {"device": f"m{number}", "zone": text, "customer": text, "lat": -1.5, "lng": -2.5}
            for number, text in enumerate(STRANGE)
        ),
        {"device": "-m", "firmware": "-1"},
    )
    either.ask("POST", IMPORTS, fleet, headers=NDJSON)
    before = either.ask("GET", "/v1/export?format=ndjson").content

    out = either.ask("GET", "/v1/export?format=csv").content
    for number in range(len(STRANGE)):
        either.done("PUT", f"/v1/devices/m{number}", {})
    either.ask("POST", IMPORTS, out, headers={"Content-Type": "text/csv"})

    assert either.ask("GET", "/v1/export?format=ndjson").content == before
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    texts = [row[name] for row in rows for name in ("device_full", "zone", "customer", "firmware")]
    assert [text for text in texts if text.startswith(("=", "+", "-", "@"))] == []
    assert {row["lat"] for row in rows} == {"-1.5", ""}


def test_csv_that_people_write_has_no_blanks_around_its_cells(registry: TestedRegistry) -> None:
    fleet = b"device,zone,customer\nm1, north ,'t Hart\n"
    registry.ask("POST", IMPORTS, fleet, headers={"Content-Type": "text/csv"})

    found = registry.ask("GET", "/v1/devices/m1").json()
    assert (found["zone"], found["customer"]) == ("north", "'t Hart")


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        ("x" * 257, "at most 256"),
        ("a\0b", "match pattern"),
        ("a\nb", "match pattern"),
        ({"name": "north"}, "is no text"),
        (True, "is no text"),
    ],
)
def test_text_that_one_device_may_not_have_no_import_has(
    either: TestedRegistry, zone: object, why: str
) -> None:
    before = either.edition()
    fleet = lines({"device": "m1"}, {"device": "m2", "zone": zone})

    answer = either.ask("POST", IMPORTS, fleet, headers=NDJSON)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "line 2"
    assert why in answer.json()["detail"]
    assert either.edition() == before


def test_devices_of_a_tenant_that_is_not_there_are_not_enrolled(registry: TestedRegistry) -> None:
    answer = registry.ask("POST", f"{IMPORTS}?tenant=acme", lines({"device": "m1"}), headers=NDJSON)

    assert answer.status_code == 404
    assert registry.ask("GET", "/v1/devices?tenant=acme").json()["devices"] == []


def test_name_that_has_a_secret_in_another_tenant_is_told_before_any_is_enrolled(
    registry: TestedRegistry,
) -> None:
    registry.done("PUT", "/v1/tenants/acme", {})
    registry.done("PUT", "/v1/devices/last?tenant=acme", {})
    registry.done("POST", "/v1/devices/last/credentials?tenant=acme", {})
    fleet = lines(*({"device": f"m{number}"} for number in range(GROUP)), {"device": "last"})
    before = registry.edition()

    answer = registry.ask("POST", f"{IMPORTS}?with_secrets=true", fleet, headers=NDJSON)

    assert answer.status_code == 409
    assert "last has a secret in another tenant" in answer.json()["detail"]
    assert registry.edition() == before


def test_name_that_no_login_can_have_is_not_enrolled(registry: TestedRegistry) -> None:
    line = b'{"device":"default.x"}\n'
    for answer in (
        registry.ask("PUT", "/v1/devices/default.x", {}),
        registry.ask("POST", "/v1/imports", line),
    ):
        assert (answer.status_code, "has its bare name: 'x'" in answer.text) == (422, True)
    assert registry.ask("GET", "/v1/devices/default.x").status_code == 404
    registry.done("PUT", "/v1/devices/x", {})
