"""A plain map, drawn here: land, borders, a grid of degrees. No internet is asked.

As one picture of an area, on which the dashboard *Map* puts its marks, and as tiles.
"""

import io
import math
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from flask import Blueprint, Response, abort, send_file
from PIL import Image, ImageDraw

from infra.superset.inside.home import told
from infra.superset.inside.outlines import Ring, clip, project, read_rings

SIZE = 256
DEEPEST = 20
WIDTH, HEIGHT = 1440, 720
"""Pixels of an area's picture."""
WORLD = 10**9
"""Areas are named in so many parts of the world's width."""
SEA, LAND, BORDER, GRID, WORDS = "#dfe8ee", "#f7f5f0", "#b9b3a6", "#d3d8dc", "#8a949b"
STEPS = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Degrees between lines of the grid; the first that puts a line or two on a tile is taken."""
MARGIN = 4
DAY_S = 86_400

basemap = Blueprint("basemap", __name__)


class View(NamedTuple):
    """What a picture shows: places of Web Mercator, from 0 to 1, and its pixels."""

    west: float
    north: float
    span: float
    width: int
    height: int

    @property
    def zoom(self) -> float:
        """Return the zoom at which tiles have as many pixels a degree."""
        return math.log2(self.width / SIZE / self.span)

    def x(self, place: float) -> float:
        """Return the pixel of a place from west to east."""
        return (place - self.west) / self.span * self.width

    def y(self, place: float) -> float:
        """Return the pixel of a place from north to south."""
        return (place - self.north) / self.span * self.width

    @property
    def south(self) -> float:
        """Return the place of its lower edge."""
        return self.north + self.span * self.height / self.width


def tile(zoom: int, column: int, row: int) -> Response:
    """Answer one tile of the usual scheme; 404 outside of the world."""
    if zoom > DEEPEST or max(column, row) >= 2**zoom:
        abort(404)
    span = 1 / (1 << zoom)
    return _answer(View(column * span, row * span, span, SIZE, SIZE))


def area(west: int, north: int, span: int) -> Response:
    """Answer the picture of an area, twice as wide as high; 404 outside of the world."""
    if not WORLD >> DEEPEST <= span <= WORLD or west + span > WORLD or north + span // 2 > WORLD:
        abort(404)
    return _answer(View(west / WORLD, north / WORLD, span / WORLD, WIDTH, HEIGHT))


def names() -> Response:
    """Answer what keeps the names of zones apart."""
    return send_file(Path(__file__).with_name("names.js"), max_age=0)


basemap.add_url_rule("/basemap/<int:zoom>/<int:column>/<int:row>.png", view_func=tile)
basemap.add_url_rule("/basemap/names.js", view_func=names)
basemap.add_url_rule("/basemap/area/<int:west>/<int:north>/<int:span>.png", view_func=area)


def _answer(view: View) -> Response:
    answer = Response(draw(view), mimetype="image/png")
    answer.cache_control.max_age = DAY_S
    return answer


@lru_cache(maxsize=256)
def draw(view: View) -> bytes:
    """Return a picture as PNG."""
    image = Image.new("RGB", (view.width, view.height), SEA)
    canvas = ImageDraw.Draw(image)
    for ring in _world():
        here = [(view.x(x), view.y(y)) for x, y in _near(ring, int(view.zoom))]
        shown = clip(here, least=-MARGIN, most=max(view.width, view.height) + MARGIN)
        if len(shown) > 2:
            canvas.polygon(shown, fill=LAND, outline=BORDER)
    _draw_grid(canvas, view)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


@cache
def _world() -> list[Ring]:
    return read_rings(Path(told()["bundle"]) / "basemap" / "countries-50m.json.gz")


def _near(ring: Ring, zoom: int) -> Ring:
    """Leave out points that a far view cannot tell apart."""
    return ring[:: max(1, 8 >> max(zoom, 0))] if zoom < 3 else ring


def _draw_grid(canvas: ImageDraw.ImageDraw, view: View) -> None:
    """Draw meridians and parallels, and write their degrees at the picture's edge."""
    step = next((each for each in STEPS if each <= 270 / 2**view.zoom), STEPS[-1])
    west, east = (360 * side - 180 for side in (view.west, view.west + view.span))
    north, south = (_latitude(side) for side in (view.north, view.south))
    size = max(10, view.width // 70)  # an area's picture is shown smaller than it is
    for lng in _multiples(west, east, step):
        x = view.x(project(lng, 0)[0])
        canvas.line((x, 0, x, view.height), fill=GRID)
        canvas.text(
            (x + 3, view.height - size - 3), _degrees(lng, "EW"), fill=WORDS, font_size=size
        )
    for lat in _multiples(south, north, step):
        y = view.y(project(0, lat)[1])
        canvas.line((0, y, view.width, y), fill=GRID)
        canvas.text((3, y + 1), _degrees(lat, "NS"), fill=WORDS, font_size=size)


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    first = math.ceil(low / step)
    return (number * step for number in range(first, math.ceil(high / step)))


def _latitude(place: float) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * place))))


def _degrees(value: float, sides: str) -> str:
    return f"{abs(value):.5g}° {sides[value < 0]}"
