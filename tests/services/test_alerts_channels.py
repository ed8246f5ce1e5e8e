"""Channels of Apprise, and secrets: where they come from, and that nobody tells them."""

import json
import logging
import socketserver
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from services.alerts.channels.apprise_sink import SCHEMES, AppriseSink, open_apprise
from services.alerts.channels.opening import Secrets
from services.alerts.channels.sink import Outgoing
from services.alerts.channels.webhook import Webhook
from services.alerts.messages import content, subject, text
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.services.alert_parts import NOON, life

SHORT = timedelta(seconds=0.3)
SECRET = "the hub's own"


def message(*names: str) -> Outgoing:
    told = content("alerts", [life(device=name) for name in names], NOON)
    return Outgoing("0123456789abcdef" * 2, told)


def test_a_secret_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "alerts" / "secrets" / "hub"
    path.parent.mkdir(parents=True)
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    said = Settings(home=tmp_path, alerts_secrets=json.dumps({"mail": "mailto://x"}))  # type: ignore[arg-type]

    secrets = Secrets(said)

    assert (secrets.get("hub"), secrets.get("mail")) == (SECRET, "mailto://x")
    for name in ("nobody", "../alerts.db", ""):
        with pytest.raises(HeadwaterError, match="there is no secret"):
            secrets.get(name)
    path.chmod(stat.S_IRUSR | stat.S_IROTH)
    with pytest.raises(HeadwaterError, match="chmod 600"):
        secrets.get("hub")


def test_no_error_tells_a_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(HeadwaterError) as caught:
        Secrets(Settings(home=tmp_path, alerts_secrets="token-1234"))  # type: ignore[arg-type]
    told = [str(caught.value)]
    for kind, url in (("slack", "http://token-1234"), ("slack", "slack://token-1234")):
        with pytest.raises(HeadwaterError) as caught:
            open_apprise("chat", kind, url)  # type: ignore[arg-type]
        told.append(str(caught.value))
    webhook = Webhook("http://127.0.0.1:9/token-1234", b"token-1234", SHORT)
    told.append(webhook.send(message("pump.p1")).reason)
    webhook.close()

    assert not [one for one in [*told, caplog.text] if "token-1234" in one]


# Apprise.


class Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to leave a letter."""

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        letter: list[bytes] | None = None
        for line in self.rfile:
            if letter is not None and line != b".\r\n":
                letter.append(line)
                continue
            word = line[:4].upper()
            if letter is not None:
                cast("list[bytes]", self.server.letters).append(b"".join(letter))  # type: ignore[attr-defined]
                letter = None
                self.wfile.write(b"250 taken\r\n")
            elif word == b"DATA":
                letter = []
                self.wfile.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@contextmanager
def post_office() -> Iterator[tuple[int, list[bytes]]]:
    """Take letters; yield the port and the letters."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp) as server:
        server.daemon_threads = True
        server.letters = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], server.letters  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def test_a_letter_arrives_with_its_key() -> None:
    with post_office() as (port, letters):
        place = f"mailto://127.0.0.1:{port}"
        url = f"{place}?from=alerts@here.example&to=ann@here.example&mode=insecure"
        answer = open_apprise("mail", "email", url).send(message("pump.p1"))

    assert answer.is_done
    (letter,) = letters
    assert b"warning hot at pump.p1" in letter
    assert b"0123456789abcdef" in letter


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("slack", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts"),
        (
            "teams",
            "workflows://prod-10.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64"
            "/KODuebWbDGYFr0z0eu/",
        ),
        ("pagerduty", "pagerduty://" + "a" * 32 + "@" + "b" * 32),
        ("sms", "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15555550100/15555550101"),
    ],
)
def test_each_kind_of_channel_opens_by_its_url(kind: str, url: str) -> None:
    assert isinstance(open_apprise("one", kind, url), AppriseSink)  # type: ignore[arg-type]
    with pytest.raises(HeadwaterError, match="no Apprise URL of"):
        open_apprise("one", next(each for each in SCHEMES if each != kind), url)


class Raising:
    """A library that fails in its own way."""

    def notify(self, body: str, title: str = "") -> object:
        raise RuntimeError("token-1234")


def test_a_library_that_raises_is_a_try_that_failed() -> None:
    answer = AppriseSink(Raising()).send(message("pump.p1"))

    assert (answer.is_done, answer.reason) == (None, "RuntimeError")


def test_a_message_for_a_person_names_its_counts_and_its_gravest() -> None:
    lives = [life(device=f"pump.p{number}", alert_id=f"{number:032x}") for number in range(60)]
    told = content("digest", [*lives, life(severity="critical", text="fire")], NOON)

    assert subject(told) == "Digest: 61 alerts: 60 warning, 1 critical"
    lines = text(told, "k").splitlines()
    assert "severity: 60 warning, 1 critical" in lines
    assert next(line for line in lines if line.startswith("- ")).startswith("- critical: fire")
    assert "and 11 more: headwater alerts list" in lines
