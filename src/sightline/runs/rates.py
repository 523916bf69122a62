"""How often an entry is written: every so many steps, or every so many seconds."""

import re
from collections.abc import Mapping
from time import monotonic

from sightline.errors import SightlineError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+(?:\.\d+)?)(ba|[smh])")


class Rates:
    """Decides which calls are due. Asking takes well below a microsecond.

    A rate is text: ``10ba`` is due at the steps that 10 divides, whichever process asks, so a resumed
    run writes what the uninterrupted one would have written. ``5s``, ``2m`` and ``1h`` are due at the
    first call for a name and then when that time has passed since the last one that was.

    Args:
        defaults: the rate of each kind (``image``, ``histogram``, …) where a call gives none.
        kinds: the kinds there are.

    Raises:
        SightlineError: a rate of another form, or an unknown kind.
    """

    def __init__(self, defaults: Mapping[str, str], kinds: tuple[str, ...]) -> None:
        self._parsed: dict[str, tuple[int, float]] = {}
        self._last: dict[tuple[str, str], float] = {}
        for kind, rate in defaults.items():
            if kind not in kinds:
                raise SightlineError(f"rates: '{kind}' is no kind of entry; use {', '.join(kinds)}.")
            self._parse(rate)
        self.defaults = dict(defaults)

    def due(self, kind: str, name: str, step: int, every: str) -> bool:
        """Whether the entry ``name`` is to be written at ``step``, at the rate ``every``."""
        try:
            steps, seconds = self._parsed[every]
        except (KeyError, TypeError):
            steps, seconds = self._parse(every)
        if steps:
            return step % steps == 0
        now = monotonic()
        key = (kind, name)
        last = self._last.get(key)
        if last is not None and now - last < seconds:
            return False
        self._last[key] = now
        return True

    def _parse(self, every: str) -> tuple[int, float]:
        form = _FORM.fullmatch(every) if isinstance(every, str) else None
        amount = float(form[1]) if form else 0.0
        if form is None or amount == 0 or (form[2] == "ba" and amount != int(amount)):
            raise SightlineError(
                f"every={every!r} is no rate; give steps as '10ba' or time as '5s', '2m', '1h'."
            )
        parsed = (int(amount), 0.0) if form[2] == "ba" else (0, amount * _SECONDS[form[2]])
        self._parsed[every] = parsed
        return parsed
