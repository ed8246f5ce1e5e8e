"""pyspark's modules from where it is installed, not from the archives that it puts before them.

`spark-submit` gives its Python processes `pyspark.zip` first, in which every module is source: each
process compiles it anew, for a second of CPU before it begins. The installed files are the same,
and were compiled once.
"""

import sys
from importlib.machinery import PathFinder
from pathlib import Path


def prefer_installed(paths: list[str] | None = None) -> None:
    """Take the archives of the installed pyspark out of `paths`, by default `sys.path`.

    Those of another Spark stay, as where a cluster brings its own.
    """
    paths = sys.path if paths is None else paths
    spec = PathFinder.find_spec("pyspark", [path for path in paths if not path.endswith(".zip")])
    if spec is None or spec.origin is None:
        return
    archives = Path(spec.origin).parent / "python" / "lib"
    paths[:] = [path for path in paths if Path(path).parent != archives]
