"""How OpenAPI describes answers that come in several forms."""

from pydantic import BaseModel

from services.query.formats import MEDIA

Responses = dict[int | str, dict[str, object]]
UNCHANGED = "The answer is still the one whose ETag stands in If-None-Match."


def contents(model: type[BaseModel]) -> Responses:
    """Return the description of an answer in each of its forms."""
    others = [media for name, media in MEDIA.items() if name != "json"]
    forms = {media: {"schema": {"type": "string"}} for media in others}
    return {200: {"model": model, "content": forms}, 304: {"description": UNCHANGED}}
