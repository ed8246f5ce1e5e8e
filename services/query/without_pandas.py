"""Arrow without pandas: it imports that to ask whether what it is given is a frame of pandas."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pyarrow as pa


class _Absent(MetaPathFinder):
    """Finds that there is no pandas."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse pandas, and leave all else to others."""
        if fullname == "pandas":
            raise ModuleNotFoundError(f"no {fullname} here", name=fullname)
        return None


def go_without_pandas() -> None:
    """Let Arrow find no pandas: it looks once, when it is first given a list, and remembers.

    What it imports when it is first given an array of numpy, it imports now too.
    """
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
        pa.array(np.zeros(0))
    finally:
        sys.meta_path.remove(absent)
