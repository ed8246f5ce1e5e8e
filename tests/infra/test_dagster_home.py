"""Dagster's home and what is asked of its daemon."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.dagster_home import daemon_complaint, dagster_services, write_instance
from infra.probes import http_complaint, port_complaint
from telemetry.settings import Settings
from tests.infra.caches import with_spark_jars


@contextmanager
def answering(answer: object) -> Iterator[str]:
    """Serve one JSON answer to every request; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def health(*statuses: tuple[str, bool, bool]) -> object:
    daemons = [
        {"daemonType": name, "required": required, "healthy": healthy}
        for name, required, healthy in statuses
    ]
    return {"data": {"instance": {"daemonHealth": {"allDaemonStatuses": daemons}}}}


def test_daemon_is_well_when_all_that_is_required_beats() -> None:
    with answering(health(("SENSOR", True, True), ("BACKFILL", False, False))) as url:
        assert daemon_complaint(url) is None


def test_silent_daemon_is_named() -> None:
    with answering(health(("SENSOR", True, False))) as url:
        assert daemon_complaint(url) == "no heartbeat of SENSOR"


@pytest.mark.parametrize("answer", [{"errors": []}, {"data": None}, []])
def test_odd_answer_is_a_complaint_not_a_crash(answer: object) -> None:
    with answering(answer) as url:
        assert daemon_complaint(url)


def test_probes_of_nobody_complain() -> None:
    assert http_complaint("http://127.0.0.1:9/x") == "no answer at http://127.0.0.1:9/x"
    assert port_complaint(9) == "nobody listens on port 9"
    assert daemon_complaint("http://127.0.0.1:9")


def test_instance_tells_nobody_and_knows_its_code_server(tmp_path: Path) -> None:
    settings = with_spark_jars(tmp_path, port_base=20000)
    write_instance(settings)
    instance = (settings.home / "dagster" / "dagster.yaml").read_text()
    assert "telemetry:\n  enabled: false\n" in instance
    assert "port: 20004" in (settings.home / "dagster" / "workspace.yaml").read_text()


def test_home_names_the_code_server_of_its_ports(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port_base=20000)
    (code, webserver, daemon) = dagster_services(settings, has_superset=True)
    assert code.ports == (20004,)
    assert webserver.url == "http://127.0.0.1:20003"
    assert daemon.after == ("dagster-webserver",)
    assert {service.environment["DAGSTER_HOME"] for service in (code, webserver, daemon)} == {
        str(tmp_path / "dagster")
    }


def test_dagster_hears_whether_there_is_a_superset_to_lead_to(tmp_path: Path) -> None:
    for has_superset, told in ((True, "on"), (False, "off")):
        services = dagster_services(Settings(home=tmp_path), has_superset=has_superset)
        assert {one.environment["HEADWATER_SUPERSET"] for one in services} == {told}
