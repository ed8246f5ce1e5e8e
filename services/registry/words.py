"""What may stand in a request: names and texts, as OpenAPI shows them."""

from typing import Annotated

from pydantic import StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:\-]{1,128}$")]
DeviceFull = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9_:\-]{1,128}\.)?[A-Za-z0-9_:\-]{1,128}$")
]
Words = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
_PRINTED = r"^[\x09\x0a\x0d\x20-\x7e]*$"
Pem = Annotated[str, StringConstraints(max_length=100_000, pattern=_PRINTED)]
PemList = Annotated[str, StringConstraints(max_length=850_000, pattern=_PRINTED)]
"""A revocation list: some 50 letters for each certificate, and with its authority one change."""
