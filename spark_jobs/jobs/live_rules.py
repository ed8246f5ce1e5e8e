"""What products ask of gold, as their files say it now."""

from edge.registry_files import RegistryFiles
from spark_jobs.transforms.rules import rules


class LiveRules:
    """Follows the registry's files; `asked` has a row a product."""

    def __init__(self, files: RegistryFiles) -> None:
        self._files = files
        self._fingerprint: str | None = None
        self.asked = rules([])

    def renew(self) -> bool:
        """Take up what is new; tell whether gold is asked for anything else than before.

        Devices are registered in the same files, and of them gold hears nothing.
        """
        fingerprint = self._files.fingerprint()
        if fingerprint == self._fingerprint:
            return False
        found = rules(self._files.products().values())
        is_first = self._fingerprint is None
        self._fingerprint, before, self.asked = fingerprint, self.asked, found
        return is_first or not found.equals(before)
