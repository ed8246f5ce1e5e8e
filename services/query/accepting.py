"""Which form of an answer a header Accept asks for."""

from services.query.formats import MEDIA, Format

Liking = tuple[float, int]
"""A quality from 0 to 1, and how exactly the form was named."""


def accepted(header: str) -> Format:
    """Return the form that is liked best; of those liked alike the one named more exactly, or JSON.

    A header that names none of them is answered as JSON too.
    """
    ranges = [_range(part) for part in header.split(",") if part.strip()]
    likings = {form: _liking(media, ranges) for form, media in MEDIA.items()}
    best = max(likings, key=lambda form: likings[form])
    return best if likings[best][0] else "json"


def _range(part: str) -> tuple[str, float]:
    media, *parameters = (each.strip().casefold() for each in part.split(";"))
    given = [each.removeprefix("q=") for each in parameters if each.startswith("q=")]
    try:
        return media, min(1.0, float(given[0])) if given else 1.0
    except ValueError:
        return media, 1.0


def _liking(media: str, ranges: list[tuple[str, float]]) -> Liking:
    """Return how much a form is liked: what names it most exactly says so."""
    names = ("*/*", f"{media.partition('/')[0]}/*", media)
    found = [(names.index(name), quality) for name, quality in ranges if name in names]
    exactness, quality = max(found, default=(0, 0.0))
    return quality, exactness
