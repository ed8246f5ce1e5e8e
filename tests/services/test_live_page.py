"""The live page in a real browser, wide and as a phone has it: it shows what comes, and its age."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from docs.making.screenshots import SHOTS, take
from services.callers import digest
from services.query.times import micros
from telemetry.changes import ApiKeyBody
from telemetry.settings import PORT_NAMES, Settings
from telemetry.tables import DEVICES
from tests.dashboards.browser import Page, browser_path, open_page
from tests.services.live_server import MINUTE, LiveServer, served
from tests.services.query_lake import Reading, Row, numbered, put
from tests.services.query_parts import NOW

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
TEXT = "document.body.innerText"
ERRORS = "window.failures"
WITHIN_S = 20.0
ENDS = NOW + timedelta(days=4000)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    web = Settings().web_dir
    if not list(web.glob("uplot-*.jar")):
        pytest.skip("what the page draws with is not fetched: headwater fetch web")
    live = LiveServer(tmp_path_factory.mktemp("page"), cache=web.parent)
    live.queries.now = datetime.now(UTC)
    devices = [f"meter.m{n}" for n in range(1, 9)]
    place: Row = {"tenant": "default", "product": "meter", "zone": "north"}
    put(live.lake.root, DEVICES, [
        place | {"device_full": name, "lat": 48.1 + n * 0.004, "lng": 11.5 + n * n * 0.002}
        for n, name in enumerate(devices)
    ])  # fmt: skip
    now = micros(live.queries.now) // MINUTE * MINUTE
    readings = [
        Reading(now - n * MINUTE, 20.0 + (n * 7 % 11) + shift, device=name, metric=metric)
        for n in range(45, 0, -1)
        if not 20 < n < 26
        for shift, name in enumerate(devices)
        for metric in ("kwh", "voltage")
    ]
    readings.insert(0, Reading(now - MINUTE, 21.0, device="meter.lost", zone="nowhere"))
    live.lake.land(numbered(readings))
    live.close_windows(now)
    with served(live):
        yield live


@pytest.fixture
def page(live: LiveServer, tmp_path: Path) -> Iterator[Page]:
    browser = browser_path()
    if browser is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    with open_page(browser, tmp_path / "browser") as page:
        watching = "window.failures=[];addEventListener('error',e=>failures.push(e.message))"
        page.tell("Page.addScriptToEvaluateOnNewDocument", source=watching)
        yield page


def size(page: Page, width: int, height: int, *, is_phone: bool) -> None:
    page.tell("Emulation.setDeviceMetricsOverride", width=width, height=height,
              deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)  # fmt: skip


def test_page_shows_zone_device_map_and_age(live: LiveServer, page: Page, tmp_path: Path) -> None:
    size(page, 1200, 1500, is_phone=False)
    page.go(f"http://127.0.0.1:{live.port}/live#key={live.queries.local_key}")
    page.wait("document.querySelectorAll('.card canvas').length === 2", timeout_s=WITHIN_S)
    page.wait("document.querySelector('#map').dataset.drawn === '8'", timeout_s=WITHIN_S)
    assert page.run("location.hash") == ""
    assert page.run("document.querySelectorAll('#chart canvas').length") == 1
    assert page.run("document.querySelectorAll('#latest tr').length") == 16
    page.picture(tmp_path / "zone.png")

    live.lake.land([replace(live.lake.readings[-1], value=777.25, seq=10**6,
                            at_us=micros(datetime.now(UTC)))])  # fmt: skip
    page.wait(f"{TEXT}.includes('777.25')", timeout_s=WITHIN_S)
    live.queries.now = datetime.now(UTC) + timedelta(seconds=30)
    page.wait("/data (2[5-9]|3[0-9]|4[0-9]) s old/.test(document.querySelector('#age').innerText)",
              timeout_s=WITHIN_S)  # fmt: skip
    assert page.run("document.querySelector('#age').className") == "fresh"

    page.run("document.querySelector('#device').value='meter.m3';"
             "document.querySelector('#device').onchange()")  # fmt: skip
    page.wait("document.querySelectorAll('#latest tr').length === 2", timeout_s=WITHIN_S)
    page.wait("document.querySelectorAll('.card canvas').length === 2", timeout_s=WITHIN_S)
    page.picture(tmp_path / "device.png")
    assert page.run(ERRORS) == []
    assert {status for _, status in page.answers} <= {101, 200}


def test_device_without_a_zone_can_be_chosen_beside_zones(live: LiveServer, page: Page) -> None:
    page.go(f"http://127.0.0.1:{live.port}/live#key={live.queries.local_key}")
    page.wait("document.querySelectorAll('#device option').length === 9", timeout_s=WITHIN_S)
    zones = "[...document.querySelectorAll('#zone option')].map(option => option.text)"
    assert page.run(zones) == ["all zones", "north"]
    page.run("document.querySelector('#zone').value='';document.querySelector('#zone').onchange()")
    names = "[...document.querySelectorAll('#device option')].map(option => option.value)"
    page.wait(f"{names}.includes('meter.lost')", timeout_s=WITHIN_S)
    page.run("document.querySelector('#device').value='meter.lost';"
             "document.querySelector('#device').onchange()")  # fmt: skip
    page.wait("document.querySelectorAll('#latest tr').length === 1", timeout_s=WITHIN_S)
    assert "meter.lost" in page.run("document.querySelector('#latest').innerText")
    assert page.run(ERRORS) == []


def test_page_fits_a_phone_and_asks_for_a_key(live: LiveServer, page: Page, tmp_path: Path) -> None:
    size(page, 390, 844, is_phone=True)
    page.go(f"http://127.0.0.1:{live.port}/")
    page.wait("!document.querySelector('#login').hidden", timeout_s=WITHIN_S)
    assert page.run("document.querySelector('#age').innerText") == "waiting for a key"
    page.type_into("#key", "hw_no.key")
    page.run("document.querySelector('#login button').click()")
    page.wait("document.querySelector('#refusal').innerText.includes('key')", timeout_s=WITHIN_S)
    page.run("document.querySelector('#key').value=''")
    page.type_into("#key", live.queries.local_key)
    page.run("document.querySelector('#login button').click()")
    page.wait("document.querySelectorAll('.card canvas').length === 2", timeout_s=WITHIN_S)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    small = "[...document.querySelectorAll('nav select, nav button')].filter(e=>e.clientHeight<38)"
    assert page.run(f"{small}.length") == 0
    moves = "[...document.querySelectorAll('main *')].map(e => getComputedStyle(e).touchAction)"
    assert set(page.run(moves)) == {"auto"}  # a finger scrolls the page wherever it lies
    page.picture(tmp_path / "phone.png")


def test_page_says_that_it_lost_the_connection(live: LiveServer, page: Page) -> None:
    key = live.queries.key("default", lives=timedelta(days=4000))
    page.go(f"http://127.0.0.1:{live.port}/live#key={key}")
    page.wait("document.querySelector('#age').innerText.startsWith('data')", timeout_s=WITHIN_S)
    live.queries.tell("api_key", "default", key[3:].partition(".")[0], None)
    page.wait("document.querySelector('#age').innerText.includes('lost')", timeout_s=WITHIN_S)
    assert page.run("document.querySelector('#age').className") == "old"
    assert "the key holds no more" in page.run(TEXT)


def test_page_goes_on_after_a_break_and_forgets_why_it_was(live: LiveServer, page: Page) -> None:
    key = live.queries.key("default", lives=timedelta(days=4000))
    name, body = key[3:].partition(".")[0], ApiKeyBody(digest(key), "viewer", "", ENDS)
    page.go(f"http://127.0.0.1:{live.port}/live#key={key}")
    page.wait("document.querySelector('#age').innerText.startsWith('data')", timeout_s=WITHIN_S)
    live.queries.tell("api_key", "default", name, None)
    page.wait(f"{TEXT}.includes('the key holds no more')", timeout_s=WITHIN_S)
    live.queries.tell("api_key", "default", name, body)
    page.wait("document.querySelector('#age').innerText.startsWith('data')", timeout_s=WITHIN_S)
    page.wait(f"!{TEXT}.includes('the key holds no more')", timeout_s=WITHIN_S)


def test_key_is_not_asked_for_again_while_the_service_is_away(live: LiveServer, page: Page) -> None:
    page.tell("Network.setBlockedURLs", urls=["*v1/zones*"])
    page.go(f"http://127.0.0.1:{live.port}/live#key={live.queries.local_key}")
    page.wait(f"{TEXT}.includes('this page looks again')", timeout_s=WITHIN_S)
    assert page.run("document.querySelector('#login').hidden")
    assert page.run("document.querySelector('#age').innerText") == "no data yet"
    page.tell("Network.setBlockedURLs", urls=[])
    page.wait("document.querySelectorAll('.card canvas').length === 2", timeout_s=WITHIN_S)
    assert "looks again" not in page.run(TEXT)
    assert page.run(ERRORS) == []


def test_names_are_shown_letter_by_letter(live: LiveServer, page: Page) -> None:
    odd = "<img src=x onerror=failures.push('ran')>\nnight|%27"
    now = micros(datetime.now(UTC))
    live.lake.land([Reading(now, 4711.0, seq=10**7, device="meter.odd", metric=odd)])
    page.go(f"http://127.0.0.1:{live.port}/live#key={live.queries.local_key}")
    page.wait("document.querySelectorAll('#device option').length > 1", timeout_s=WITHIN_S)
    page.run("document.querySelector('#zone').value='';document.querySelector('#zone').onchange()")
    names = "[...document.querySelectorAll('#device option')].map(option => option.value)"
    page.wait(f"{names}.includes('meter.odd')", timeout_s=WITHIN_S)
    page.run("document.querySelector('#device').value='meter.odd';"
             "document.querySelector('#device').onchange()")  # fmt: skip
    page.wait("document.querySelectorAll('.card').length === 1", timeout_s=WITHIN_S)
    assert page.run("document.querySelector('.card small').textContent") == f"meter · {odd}"
    assert page.run("document.querySelector('.card b').textContent") == "4,711"
    assert page.run("document.querySelectorAll('main img').length") == 0
    assert page.run(ERRORS) == []


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "home", cache=Settings().web_dir.parent)
    live.queries.now = datetime.now(UTC)
    with served(live):
        yield live


def test_page_opens_on_what_is_alive_as_soon_as_something_is(empty: LiveServer, page: Page) -> None:
    page.go(f"http://127.0.0.1:{empty.port}/live#key={empty.queries.local_key}")
    page.wait(f"{TEXT}.includes('no device has spoken yet')", timeout_s=WITHIN_S)
    page.wait("document.querySelector('#age').innerText === 'no data yet'", timeout_s=WITHIN_S)
    now = micros(empty.queries.now) // MINUTE * MINUTE
    alive = [
        Reading(now - n * MINUTE, value, device=f"meter.m{m}", metric=metric)
        for n in range(9, 0, -1)
        for m in (1, 2, 3)
        for metric, value in (("alarm", "on" if m == 2 else "off"), ("kwh", 20.0 + n))
    ]
    dead = [Reading(now - 90 * MINUTE, 5.0, device=f"meter.d{m}", zone="gone") for m in range(5)]
    names = {each.device: each.zone for each in [*dead, *alive]}
    put(empty.lake.root, DEVICES, [
        {"tenant": "default", "product": "meter", "device_full": name, "zone": zone}
        for name, zone in names.items()
    ])  # fmt: skip
    empty.lake.land(numbered([*dead, *alive]))
    empty.close_windows(now)
    page.wait("document.querySelector('#zone').value === 'north'", timeout_s=WITHIN_S)
    page.wait("document.querySelectorAll('#chart canvas').length === 1", timeout_s=WITHIN_S)
    assert page.run("document.querySelector('#chosen').innerText").startswith("kwh of meter")
    cards = page.run("[...document.querySelectorAll('.card')].map(each => each.innerText)")
    assert "off" in cards[0]
    assert "2 of 3 devices" in cards[0]

    page.run("document.querySelector('.card').click()")
    page.wait(f"{TEXT}.includes('alarm of meter: no numbers to draw')", timeout_s=WITHIN_S)
    assert page.run(ERRORS) == []


WHAT_THE_MAP_DRAWS = """
for (const kind of ['scale', 'arc', 'fillText']) {
  const pen = CanvasRenderingContext2D.prototype, plain = pen[kind];
  pen[kind] = function (...given) {
    if (this.canvas.id === 'map' && kind === 'scale') window.drawn = { arc: [], fillText: [] };
    else if (this.canvas.id === 'map')
      window.drawn[kind].push([...given, kind === 'arc' || this.measureText(given[0]).width]);
    return plain.apply(this, given);
  };
}"""


def test_names_on_the_map_lie_on_no_point_and_on_no_name(empty: LiveServer, page: Page) -> None:
    now = micros(empty.queries.now)
    places = {"meter.far": (48.6, 11.9)}
    places |= {f"meter.m{n}": (48.1 + n // 4 * 0.012, 11.5 + n % 4 * 0.02) for n in range(12)}
    put(empty.lake.root, DEVICES, [
        {"tenant": "default", "device_full": name, "zone": "north", "lat": lat, "lng": lng}
        for name, (lat, lng) in places.items()
    ])  # fmt: skip
    empty.lake.land(numbered(Reading(now, 1.0, device=name) for name in places))
    page.tell("Page.addScriptToEvaluateOnNewDocument", source=WHAT_THE_MAP_DRAWS)
    page.go(f"http://127.0.0.1:{empty.port}/live#key={empty.queries.local_key}")
    page.wait("window.drawn && drawn.arc.length === 13", timeout_s=WITHIN_S)
    drawn, wide = page.run("drawn"), page.run("document.querySelector('#map').clientWidth")
    points = [(x - 3, x + 3, y - 3, y + 3) for x, y, *_ in drawn["arc"]]
    names = [
        (x, x + width, y - 8, y + 2) for text, x, y, width in drawn["fillText"] if "meter" in text
    ]
    assert len(names) > 3
    assert all(left >= 0 and right <= wide for left, right, _, _ in names)
    for number, (left, right, top, bottom) in enumerate(names):
        under = [
            other
            for other in [*points, *names[:number]]
            if left < other[1] and other[0] < right and top < other[3] and other[2] < bottom
        ]
        assert under == []
    assert page.run(ERRORS) == []


def test_picture_of_it_is_taken_for_the_docs(live: LiveServer, page: Page, tmp_path: Path) -> None:
    base = live.port - PORT_NAMES.index("query")
    settings = Settings(home=live.lake.root.parent, port_base=base)
    take(page, SHOTS["live"], settings, tmp_path / "live.png")
    head = (tmp_path / "live.png").read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24]) > 600) == (1500, True)
