"""The front of a service without pages: what a browser finds that follows its address."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse


def show_document_in_front(app: FastAPI) -> None:
    """Lead from the bare address to the OpenAPI document, which says what can be asked."""

    def lead() -> RedirectResponse:
        return RedirectResponse("openapi.json")

    app.get("/", include_in_schema=False)(lead)
