"""The page of one service's HTTP interface, from its OpenAPI document."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from docs.making.markdown import cell, table
from docs.making.schemas import kind, models, notes
from telemetry.settings import PORT_NAMES, Settings

Document = Mapping[str, Any]
PROBLEM = "application/problem+json"
METHODS = ("get", "post", "put", "patch", "delete")


def api_page(document: Document, *, port: str) -> str:
    """Return the whole page; `port` names the port that the service listens at."""
    number = Settings.model_fields["port_base"].default + PORT_NAMES.index(port)
    info = document["info"]
    head = (
        f"# {info['title']}: HTTP\n\nMade from the service's OpenAPI document by `make docs`; a"
        f" running one shows it at `http://127.0.0.1:{number}/openapi.json`.\n\n"
        f"{' '.join(info['description'].split())}\n"
    )
    return "\n".join((head, _overview(document), *_operations(document), *models(document)))


def _each(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield method.upper(), path, operations[method]


def _overview(document: Document) -> str:
    rows = [
        [f"`{method} {path}`", cell(_text(operation).partition(". ")[0].rstrip("."))]
        for method, path, operation in _each(document)
    ]
    return table(("ask", "for"), rows)


def _operations(document: Document) -> Iterator[str]:
    for method, path, operation in _each(document):
        yield f"## {method} {path}\n\n{_text(operation)}\n"
        if parameters := operation.get("parameters"):
            yield table(("parameter", "in", "kind", "meaning"), map(_parameter, parameters))
        if body := operation.get("requestBody"):
            yield f"Body: {_contents(body['content'])}.\n"
        yield from _answers(operation["responses"])


def _answers(responses: Document) -> Iterator[str]:
    problems = [status for status, each in responses.items() if PROBLEM in each.get("content", {})]
    rows = [
        _response(status, response)
        for status, response in sorted(responses.items())
        if status not in problems
    ]
    yield table(("answer", "when", "form"), rows)
    if problems:
        form = _contents({PROBLEM: responses[problems[0]]["content"][PROBLEM]})
        yield f"What cannot be done: {', '.join(sorted(problems))}, as {form}.\n"


def _text(operation: Document) -> str:
    said = operation.get("description") or operation["summary"]
    return " ".join(said.split()).rstrip(".") + "."


def _parameter(parameter: Document) -> list[str]:
    schema = parameter["schema"]
    said = [parameter.get("description", "")]
    if parameter["in"] != "path" and parameter.get("required"):
        said.append("required")
    told = "; ".join(part for part in (*said, *notes(schema)) if part)
    return [f"`{parameter['name']}`", parameter["in"], kind(schema), cell(told)]


def _response(status: str, response: Document) -> list[str]:
    told = response.get("description", "")
    if told in ("", "Successful Response") and status.isdigit():
        told = HTTPStatus(int(status)).phrase
    return [status, cell(told), _contents(response.get("content", {}))]


def _contents(content: Document) -> str:
    """Return media types, each with the shape of what it carries."""
    shapes = [
        f"`{media}`" + (f" {kind(form['schema'])}" if form.get("schema") else "")
        for media, form in content.items()
    ]
    return ", ".join(shapes)
