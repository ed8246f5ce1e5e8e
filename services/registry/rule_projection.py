"""Rules in the home's files: what others put there is taken up, and what holds is put there."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from edge.rule_files import RuleFiles, read_rule
from services.registry import rules
from services.registry.file_marks import digest, mark, marks, own
from services.registry.store import Store
from telemetry.errors import RuleError
from telemetry.rules.rule import VersionedRule

ACTOR = "files"


class RuleProjection:
    """The rules' files of one home, as a sink of changes and as a source of them."""

    def __init__(self, root: Path, store: Store, now: Callable[[], datetime]) -> None:
        self._root = root
        self._files = RuleFiles(root)
        self._store = store
        self._now = now

    def fingerprint(self) -> str:
        """Return a token that changes whenever a rule's file does."""
        return self._files.fingerprint()

    def put(self, kept: VersionedRule) -> None:
        """Write a rule's file, unless it says the same in somebody's own words."""
        self._files.put(kept)
        path = self._files.path_of(kept)
        with self._store.writing(ACTOR, self._now()) as writing:
            mark(writing, self._name(path), digest(path.read_bytes()))

    def take_up(self) -> int:
        """Take what others put into the files since; return how many rules that were."""
        seen, taken, wrong = marks(self._store), 0, []
        for path, content in self._files.files():
            if seen.get(self._name(path)) == digest(content):
                continue
            try:
                self._take(path, content)
                taken += 1
            except RuleError as error:
                wrong.append(error)
        if wrong:
            raise wrong[0]
        return taken

    def _take(self, path: Path, content: bytes) -> None:
        kept = read_rule(path, content)
        with self._store.writing(ACTOR, self._now()) as writing:
            own(writing, [kept.rule.tenant])
            rules.take(writing, kept)
            mark(writing, self._name(path), digest(content))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()
