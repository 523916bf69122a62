"""What an import mended: counted, and said once per kind."""

import logging
from typing import NoReturn

from sightline.errors import SightlineError

logger = logging.getLogger("sightline.data")


class Repairs:
    """Counts what an import repairs or leaves out, so that nothing is lost silently.

    ``source`` is the file or folder that is read, as it stands in each warning.
    """

    def __init__(self, source: object) -> None:
        self._source = source
        self._kinds: dict[str, tuple[int, str]] = {}

    def add(self, what: str, example: str, count: int = 1) -> None:
        """Count ``count`` cases of ``what`` ("boxes clipped to the image"); ``example`` names one of them."""
        if count:
            before, first = self._kinds.get(what, (0, example))
            self._kinds[what] = before + count, first

    def refuse(self, where: str, problem: str) -> NoReturn:
        """Raise a `SightlineError` for what cannot be repaired in ``where``, an item of the source."""
        source = "" if where.startswith(str(self._source)) else f"{self._source}: "
        raise SightlineError(f"{source}{where}: {problem}")

    def report(self) -> None:
        """Log one warning per kind, with its count and its first case."""
        for what, (count, example) in self._kinds.items():
            logger.warning("%s: %d %s; the first is %s.", self._source, count, what, example)
