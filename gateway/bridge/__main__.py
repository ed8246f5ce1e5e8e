"""`python -m gateway.bridge`: read from a broker until told to stop."""

import sys

from gateway.bridge.main import run
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def main() -> int:
    """Run; an error that a person can mend is one line."""
    try:
        run(Settings())
    except HeadwaterError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
