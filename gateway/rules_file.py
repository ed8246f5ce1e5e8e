"""The file of rules, read again whenever it changes."""

import sys
from pathlib import Path

from gateway.rules import Rule, RuleError, read_rules


class RulesFile:
    """Keeps the newest rules that hold; a file that does not is told of, and changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: tuple[int, int] | None = None
        self._complaint = ""
        self.rules: tuple[Rule, ...] = ()

    def refresh(self) -> bool:
        """Read the file if it changed, and say whether the rules did."""
        try:
            stat = self._path.stat()
            mark = (stat.st_mtime_ns, stat.st_size)
            if mark == self._mark:
                return False
            content = self._path.read_bytes()
        except FileNotFoundError:
            is_new, self.rules, self._mark = bool(self.rules), (), None
            return is_new
        except OSError as error:
            # Whoever may not read it now may do so later, without another change of it.
            self._tell(error)
            return False
        self._mark = mark
        try:
            self.rules = read_rules(content)
        except RuleError as error:
            self._tell(error)
            return False
        self._complaint = ""
        return True

    def _tell(self, error: Exception) -> None:
        """Say once what is wrong: it is looked at every second."""
        if str(error) != self._complaint:
            print(f"gateway: {self._path}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        self._complaint = str(error)
