"""`/live`: a page to look at one zone or device, drawn by a library out of the fetched archive."""

import zipfile
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from services.problems import Problem, not_found
from services.query.served import Served

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parents[1] / "page"
SCRIPTS = ("live.js", "draw.js", "map.js", "picking.js")
OURS = dict.fromkeys(SCRIPTS, "text/javascript") | {"live.css": "text/css"}
THEIRS: Mapping[str, tuple[str, str]] = {
    "uplot.js": ("uPlot.iife.min.js", "text/javascript"),
    "uplot.css": ("uPlot.min.css", "text/css"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/")
def root() -> Response:
    """Lead to the page."""
    return RedirectResponse("live")


@router.get("/live")
def page() -> Response:
    """Return the page; it asks for a key itself."""
    return _file(FOLDER / "index.html", "text/html")


@router.get("/favicon.ico")
def icon() -> Response:
    """Say that there is none, which a browser asks for by itself."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Cache-Control": "max-age=86400"})


@router.get("/live/{name}")
def part(name: str, served: Served) -> Response:
    """Return a script or a style of the page."""
    if name in OURS:
        return _file(FOLDER / name, OURS[name])
    if name not in THEIRS:
        raise not_found("part of the page", name)
    member, media = THEIRS[name]
    archives = sorted(served.web_dir.glob("uplot-*.jar"))
    if not archives:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "what the page draws with is not fetched: run `headwater fetch web`",
        )
    return Response(_member(archives[-1], member), media_type=media, headers=HEADERS)


def _file(path: Path, media: str) -> Response:
    return Response(path.read_bytes(), media_type=media, headers=HEADERS)


@lru_cache(maxsize=8)
def _member(archive: Path, name: str) -> bytes:
    """Return a file of an archive, as npm's packages lie in those of WebJars."""
    with zipfile.ZipFile(archive) as files:
        (path,) = (each for each in files.namelist() if each.endswith(f"/dist/{name}"))
        return files.read(path)
