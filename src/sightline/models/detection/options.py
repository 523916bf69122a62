"""Options of other libraries' detectors, which these would take in silence if they were misspelt."""

from collections.abc import Iterable

from sightline.config.wording import instead
from sightline.errors import SightlineError


def check_options(what: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that would do nothing.

    Args:
        what: the model, for the message.
        options: the names that a user gave.
        known: the names that there are.

    Raises:
        SightlineError: one is not known.
    """
    known = sorted(known)
    for name in options:
        if name not in known:
            raise SightlineError(f"{what}: has no option '{name}'{instead(name, known)}")
