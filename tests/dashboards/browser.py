"""A Chromium without a window, spoken to by its own protocol."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--enable-unsafe-swiftshader",
    "--window-size=1500,2200",
    "--remote-debugging-port=0",
)
PAUSE_S = 0.1


@dataclass(slots=True)
class Page:
    """One page of the browser."""

    socket: ClientConnection
    number: int = 0
    answers: list[tuple[str, int]] = field(default_factory=list)
    """Addresses that were asked, with the status of their answer."""

    def tell(self, method: str, **parameters: object) -> Any:
        """Run a command of the protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while True:
            said = json.loads(self.socket.recv(timeout=120))
            if said.get("method") == "Network.responseReceived":
                response = said["params"]["response"]
                self.answers.append((response["url"], response["status"]))
            if said.get("id") == self.number:
                assert "error" not in said, said
                return said["result"]

    def go(self, url: str) -> None:
        """Open an address."""
        self.tell("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return the value of a piece of JavaScript."""
        found = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def wait(self, script: str, *, timeout_s: float) -> float:
        """Wait until JavaScript finds something true; return the seconds that it took."""
        began = time.monotonic()
        while not self.run(f"!!({script})"):
            if time.monotonic() - began > timeout_s:
                raise TimeoutError(f"{script}: {str(self.run('document.body.innerText'))[:2000]}")
            time.sleep(PAUSE_S)
        return time.monotonic() - began

    def type_into(self, selector: str, text: str) -> None:
        """Put the cursor somewhere and type."""
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.tell("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Keep what the page looks like."""
        shot = self.tell("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


def browser_path() -> str | None:
    """Return the browser of this machine, if it has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def open_page(browser: str, folder: Path) -> Iterator[Page]:
    """Start the browser and yield its page."""
    command = [browser, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_address(folder), max_size=None) as socket:
            page = Page(socket)
            page.tell("Network.enable")
            page.tell("Page.enable")
            yield page
    finally:
        process.terminate()
        process.wait(timeout=30)


def _address(folder: Path) -> str:
    """Return the socket of the first page, once the browser has written its port down."""
    port_file, give_up = folder / "DevToolsActivePort", time.monotonic() + 60
    while not (port_file.exists() and port_file.read_text().strip()):
        assert time.monotonic() < give_up, "the browser does not start"
        time.sleep(PAUSE_S)
    port = port_file.read_text().split()[0]
    pages = httpx.get(f"http://127.0.0.1:{port}/json/list").json()
    return next(str(page["webSocketDebuggerUrl"]) for page in pages if page["type"] == "page")
