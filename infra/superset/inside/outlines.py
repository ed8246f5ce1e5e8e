"""Outlines of countries, read from TopoJSON and projected to the square of a web map."""

import gzip
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Point = tuple[float, float]
Ring = list[Point]
HIGHEST_LAT = 85.051129
"""Where the Mercator projection of web maps is as high as it is wide."""


def read_rings(path: Path) -> list[Ring]:
    """Return each outline as points of the unit square, west to east and north to south."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        topology = json.load(file)
    arcs = [_arc(arc, topology["transform"]) for arc in topology["arcs"]]
    shapes = topology["objects"]["countries"]["geometries"]
    rings = (ring for shape in shapes for ring in _rings(shape, arcs))
    return [_unbroken([project(*point) for point in ring]) for ring in rings]


def project(lng: float, lat: float) -> Point:
    """Return where degrees lie in the unit square (Web Mercator)."""
    bounded = math.radians(max(-HIGHEST_LAT, min(HIGHEST_LAT, lat)))
    return (lng + 180) / 360, (1 - math.asinh(math.tan(bounded)) / math.pi) / 2


def clip(ring: Sequence[Point], *, least: float, most: float) -> Ring:
    """Return what of a polygon lies in a square (Sutherland and Hodgman 1974)."""
    kept = list(ring)
    for axis in (0, 1):
        for bound, sign in ((least, 1), (most, -1)):
            kept = _clip_side(kept, axis, bound, sign)
    return kept


def _clip_side(ring: Ring, axis: int, bound: float, sign: int) -> Ring:
    kept: Ring = []
    for before, point in zip(ring[-1:] + ring[:-1], ring, strict=True):
        was_in, is_in = sign * (before[axis] - bound) >= 0, sign * (point[axis] - bound) >= 0
        if was_in != is_in:
            share = (bound - before[axis]) / (point[axis] - before[axis])
            crossing = [a + share * (b - a) for a, b in zip(before, point, strict=True)]
            kept.append((crossing[0], crossing[1]))
        if is_in:
            kept.append(point)
    return kept


def _arc(deltas: Sequence[Sequence[int]], transform: Any) -> Ring:
    """Decode an arc: steps from point to point, in whole numbers of the scale."""
    (scale_x, scale_y), (left, bottom) = transform["scale"], transform["translate"]
    x = y = 0
    points: Ring = []
    for step_x, step_y in deltas:
        x, y = x + step_x, y + step_y
        points.append((x * scale_x + left, y * scale_y + bottom))
    return points


def _unbroken(ring: Ring) -> Ring:
    """Let an outline that crosses the date line go on beyond the square's edge."""
    whole, turns = ring[:1], 0
    for (before, _), (x, y) in itertools.pairwise(ring):
        turns += (x - before < -0.5) - (x - before > 0.5)
        whole.append((x + turns, y))
    return whole


def _rings(shape: Any, arcs: Sequence[Ring]) -> Iterator[Ring]:
    """Put the rings of a shape together; a negative number is an arc gone backwards."""
    polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape.get("arcs", [])]
    for polygon in polygons:
        for ring in polygon:
            yield [point for at in ring for point in (arcs[at] if at >= 0 else arcs[~at][::-1])]
