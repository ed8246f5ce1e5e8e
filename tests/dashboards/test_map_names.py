"""Names on the map in a real browser: none covers another one, or a mark."""

from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from infra.superset.inside import data_age
from telemetry.tables import BY_NAME, DEVICES
from tests.dashboards.browser import Page
from tests.dashboards.lakes import Row, write
from tests.dashboards.test_zone_map import asked

pytestmark = pytest.mark.timeout(120)
SCRIPT = Path(data_age.__file__).with_name("names.js")
PAGE = (
    '<meta charset="utf-8"><body style="font-family:sans-serif">'
    '<div id="picture" style="position:relative;width:640px;aspect-ratio:2/1;overflow:hidden">'
    "%s</div><script>%s</script>"
)
FAR: Row = {"zone": "far away", "lat": 54.5, "lng": 12.0}
"""So that what stands about Hamburg is close together."""
CLOSE: dict[str, list[tuple[str, float, float]]] = {
    "one above the other": [("upper town", 53.560, 9.98), ("lower town", 53.540, 9.98)],
    "side by side": [("west bank", 53.55, 9.97), ("east bank", 53.55, 10.05)],
    "three in a heap": [("harbour", 53.54, 9.98), ("fish", 53.56, 9.99), ("dock", 53.55, 10.0)],
}
BOXES = (
    "[...document.querySelectorAll('.zone-name, .zone-mark')].map(each => {"
    " const { left, top, right, bottom } = each.getBoundingClientRect();"
    " const name = each.className === 'zone-name' ? each.textContent : '', title = each.title;"
    " const isSeen = getComputedStyle(each).visibility !== 'hidden';"
    " return { name, title, isSeen, left, top, right, bottom }; })"
)
SLACK = 1.0


def drawn(page: Page, home: Path, zones: list[tuple[str, float, float]]) -> list[dict[str, Any]]:
    """Show the marks of zones as the lake's own query draws them; return boxes, in pixels."""
    first = datetime(1900, 1, 1, tzinfo=UTC)
    places = [{"zone": zone, "lat": lat, "lng": lng} for zone, lat, lng in zones]
    devices: list[Row] = [
        {"tenant": "default", "device_full": f"room.{n}", "product": "room", "valid_from": first}
        | place
        for n, place in enumerate([*places, FAR])
    ]
    for table in BY_NAME.values():
        write(home / "lake", table, devices if table == DEVICES else [])
    marks = "".join(asked(home)["zone_mark"].drop_nulls())
    (home / "map.html").write_text(PAGE % (marks, SCRIPT.read_text("utf-8")), "utf-8")
    page.go((home / "map.html").as_uri())
    page.wait("document.querySelector('#picture')?.dataset.arranged", timeout_s=20)
    found: list[dict[str, Any]] = page.run(BOXES)
    return found


def meet(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two boxes cover one another."""
    return all(
        a[low] + SLACK < b[high]
        for a, b in ((one, other), (other, one))
        for low, high in (("left", "right"), ("top", "bottom"))
    )


def covered(boxes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the names that are seen and cover, or are covered by, a name or a mark."""
    seen = [each for each in boxes if each["isSeen"]]
    return [
        (one["name"], other["name"] or other["title"])
        for one, other in combinations(sorted(seen, key=lambda each: not each["name"]), 2)
        if one["name"] and meet(one, other)
    ]


@pytest.mark.parametrize("case", CLOSE)
def test_names_of_close_zones_are_read_beside_one_another(
    case: str, page: Page, tmp_path: Path
) -> None:
    boxes = drawn(page, tmp_path, CLOSE[case])
    seen = {each["name"] for each in boxes if each["name"] and each["isSeen"]}
    assert seen == {zone for zone, *_ in CLOSE[case]} | {"far away"}
    assert covered(boxes) == []


def test_what_has_no_room_is_told_under_the_mouse_alone(page: Page, tmp_path: Path) -> None:
    zones = [(f"quarter number {n}", 53.55, 9.98) for n in range(9)]
    boxes = drawn(page, tmp_path, zones)
    names = [each for each in boxes if each["name"].startswith("quarter")]
    assert 0 < sum(each["isSeen"] for each in names) < len(names)
    assert covered(boxes) == []
    told = {each["title"].partition(":")[0] for each in boxes if each["title"]}
    assert told >= {zone for zone, *_ in zones}


def test_names_stay_apart_when_the_picture_becomes_smaller(page: Page, tmp_path: Path) -> None:
    drawn(page, tmp_path, CLOSE["three in a heap"])
    before = page.run("document.querySelector('#picture').dataset.arranged")
    page.run("document.querySelector('#picture').style.width = '420px'")
    page.wait(f"document.querySelector('#picture').dataset.arranged !== {before!r}", timeout_s=20)
    assert covered(page.run(BOXES)) == []
