"""Ages in words: dashboards and the live page say the same age alike."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.superset.inside import data_age
from services.query.routes.page import FOLDER
from tests.dashboards.browser import Page

pytestmark = pytest.mark.timeout(120)
AGES = Path(data_age.__file__).with_name("ages.js")
CHART = 7
SAID = {
    0: "0 s",
    100: "100 s",
    130: "2 min",
    7_150: "119 min",
    7_300: "2 h",
    360_000: "100 h",
    500_000: "5 d",
}
"""Ages in seconds."""
PAGE = (
    f'<div data-test-chart-id="{CHART}"></div><script>%s</script><script src="ages.js"></script>'
    '<script type="module">import { ageText } from "./draw.js"; window.ageText = ageText;</script>'
)
ASKS = f"fetch('/api/v1/chart/data?form_data=' + JSON.stringify({{slice_id: {CHART}}}))"


class Pages(BaseHTTPRequestHandler):
    """A page with one panel, both scripts, and an age as the address of the page says."""

    def do_GET(self) -> None:
        """Answer one request."""
        name = urlsplit(self.path).path.rpartition("/")[2]
        if name.endswith(".js"):
            file = AGES if name == AGES.name else FOLDER / name
            self._answer("text/javascript", file.read_bytes())
        elif name.isdigit():
            answers = json.dumps({"charts": {CHART: "gold"}, "sources": {"gold": _age(int(name))}})
            # Whatever is asked for is answered in the page itself, but for the panel's own answer.
            choice = f"url === '/ages' ? {_json(answers)} : ask(url)"
            script = f"const ask = fetch; window.fetch = (url) => {choice}"
            self._answer("text/html", (PAGE % script).encode())
        else:
            self._answer("application/json", b"{}")

    def _answer(self, media: str, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _age(seconds: int) -> dict[str, float]:
    return {"age_ms": seconds * 1000.0, "red_after_ms": 60_000.0}


def _json(text: str) -> str:
    return f"Promise.resolve(new Response({json.dumps(text)}))"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("seconds", "said"), SAID.items())
def test_an_age_is_said_one_way(seconds: int, said: str, page: Page, address: str) -> None:
    page.go(f"{address}/{seconds}")
    page.wait("window.ageText", timeout_s=20)
    assert page.run(f"ageText({seconds * 1000 + 900})") == said
    page.run(f"{ASKS}.then(answer => answer.text())")
    page.wait("document.querySelector('div').dataset.age", timeout_s=20)
    shown = page.run("document.querySelector('div').dataset.age")
    (word, count, unit, old), wanted = shown.split(), said.split()
    # It goes on counting.
    assert (word, unit, old) == ("data", wanted[1], "old")
    assert 0 <= int(count) - int(wanted[0]) <= (15 if unit == "s" else 0)
