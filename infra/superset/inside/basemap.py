"""Tiles of a plain map, drawn here: land, borders, a grid of degrees. No internet is asked."""

import io
import math
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from flask import Blueprint, Response, abort
from PIL import Image, ImageDraw

from infra.superset.inside.home import told
from infra.superset.inside.outlines import Ring, clip, project, read_rings

SIZE = 256
DEEPEST = 20
SEA, LAND, BORDER, GRID, WORDS = "#dfe8ee", "#f7f5f0", "#b9b3a6", "#d3d8dc", "#8a949b"
STEPS = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Degrees between lines of the grid; the first that puts a line or two on a tile is taken."""
MARGIN = 4
DAY_S = 86_400

basemap = Blueprint("basemap", __name__)


def tile(zoom: int, column: int, row: int) -> Response:
    """Answer one tile of the usual scheme; 404 outside of the world."""
    if zoom > DEEPEST or max(column, row) >= 2**zoom:
        abort(404)
    answer = Response(draw(zoom, column, row), mimetype="image/png")
    answer.cache_control.max_age = DAY_S
    return answer


basemap.add_url_rule("/basemap/<int:zoom>/<int:column>/<int:row>.png", view_func=tile)


@lru_cache(maxsize=256)
def draw(zoom: int, column: int, row: int) -> bytes:
    """Return a tile as PNG."""
    image = Image.new("RGB", (SIZE, SIZE), SEA)
    canvas = ImageDraw.Draw(image)
    for ring in _world():
        here = [(_pixel(x, zoom, column), _pixel(y, zoom, row)) for x, y in _near(ring, zoom)]
        shown = clip(here, least=-MARGIN, most=SIZE + MARGIN)
        if len(shown) > 2:
            canvas.polygon(shown, fill=LAND, outline=BORDER)
    _draw_grid(canvas, zoom, column, row)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


@cache
def _world() -> list[Ring]:
    return read_rings(Path(told()["bundle"]) / "basemap" / "countries-50m.json.gz")


def _near(ring: Ring, zoom: int) -> Ring:
    """Leave out points that a far view cannot tell apart."""
    return ring[:: max(1, 8 >> zoom)] if zoom < 3 else ring


def _pixel(place: float, zoom: int, number: int) -> float:
    return (place * (1 << zoom) - number) * SIZE


def _draw_grid(canvas: ImageDraw.ImageDraw, zoom: int, column: int, row: int) -> None:
    """Draw meridians and parallels, and write their degrees at the tile's edge."""
    step = next((each for each in STEPS if each <= 270 / 2**zoom), STEPS[-1])
    west, east = (360 * (column + side) / 2**zoom - 180 for side in (0, 1))
    north, south = (_latitude((row + side) / 2**zoom) for side in (0, 1))
    for lng in _multiples(west, east, step):
        x = _pixel(project(lng, 0)[0], zoom, column)
        canvas.line((x, 0, x, SIZE), fill=GRID)
        canvas.text((x + 3, SIZE - 13), _degrees(lng, "EW"), fill=WORDS)
    for lat in _multiples(south, north, step):
        y = _pixel(project(0, lat)[1], zoom, row)
        canvas.line((0, y, SIZE, y), fill=GRID)
        canvas.text((3, y + 1), _degrees(lat, "NS"), fill=WORDS)


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    first = math.ceil(low / step)
    return (number * step for number in range(first, math.ceil(high / step)))


def _latitude(place: float) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * place))))


def _degrees(value: float, sides: str) -> str:
    return f"{abs(value):.5g}° {sides[value < 0]}"
