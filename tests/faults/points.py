"""Where a stream application is killed: the appearance of a file, each named for its place."""

import re
from dataclasses import dataclass

LANDED = (
    "bronze.messages",
    "silver.rejected",
    "silver.duplicates",
    "silver.conflicts",
    "silver.late",
    "silver.readings",
)
"""In the order of their commits within one batch."""
WINDOWS = (
    *(f"gold.{by}_{width}" for by in ("device", "zone") for width in (
        "minute", "five_minutes", "hour", "day",
    )),
    "gold.device_sliding",
    "gold.sessions",
    "ops.delivery_delay",
)  # fmt: skip
ON_CHANGE = ("dim.devices", "ops.first_use")
"""Tables that a batch touches where the registry has changed or a metric is new."""
STAGED = ("bronze.messages", "silver.readings", "gold.device_minute")
JOB_FILES = {
    "compact": r".*/packed-[^/]+\.parquet",
    "dedup": r"silver/.*/part-\d{5}-[^/]+\.parquet",
}
"""What each job stages: files of its own below the lake, named so that no other writer's are."""
SELDOM = ("state:landing-memory being written", "state:landing-memory")
"""Files that come once a minute: the first one is waited for, since a fourth takes too long."""
RANDOM = "random"
_COMMIT = r"_delta_log/\d{20}\.json"
_PARQUET = r".*\.parquet(#\d+)?"


@dataclass(frozen=True, slots=True)
class Point:
    """Files whose appearance is the moment: below a folder of the home, by a pattern of paths."""

    name: str
    folder: str
    pattern: str

    def fits(self, path: str) -> bool:
        """Tell whether a path below the folder is such a file."""
        return re.fullmatch(self.pattern, path) is not None


def _folder(table: str) -> str:
    return f"lake/{table.replace('.', '/')}"


POINTS = {
    point.name: point
    for point in (
        *(
            Point(f"{kind}:{query}", f"checkpoints/{query}/{kind}", r"\d+")
            for query in ("landing", "gold")
            for kind in ("offsets", "commits")
        ),
        *(
            Point(f"commit:{table}", _folder(table), _COMMIT)
            for table in (*LANDED, *WINDOWS, *ON_CHANGE)
        ),
        *(Point(f"staged:{table}", _folder(table), _PARQUET) for table in STAGED),
        Point("state:gold.json being written", "checkpoints/gold", r"\.gold\.json\.\d+"),
        Point("state:gold.json", "checkpoints/gold", r"gold\.json"),
        Point("state:landing-memory being written", "checkpoints", r"landing-memory\.new"),
        Point("state:landing-memory", "checkpoints", r"landing-memory"),
        *(Point(f"job:{job}", "lake", pattern) for job, pattern in JOB_FILES.items()),
    )
}
NAMES = (*POINTS,)
