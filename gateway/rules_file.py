"""The file of rules, read again whenever it changes."""

import sys
from pathlib import Path

from gateway.rules import Rule, RuleError, read_rules


class RulesFile:
    """Keeps the newest rules that hold; a file that does not is told of, and changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: tuple[int, int] | None = None
        self.rules: tuple[Rule, ...] = ()

    def refresh(self) -> bool:
        """Read the file if it changed, and say whether the rules did."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            is_new, self.rules, self._mark = bool(self.rules), (), None
            return is_new
        mark = (stat.st_mtime_ns, stat.st_size)
        if mark == self._mark:
            return False
        self._mark = mark
        try:
            self.rules = read_rules(self._path.read_bytes())
        except (RuleError, OSError) as error:
            print(f"gateway: {self._path}: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return False
        return True
