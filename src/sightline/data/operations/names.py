"""Names that a user gives, against those that there are: wildcards and suggestions."""

import difflib
import re
from collections.abc import Iterable, Sequence

from sightline.errors import SightlineError


def matches(pattern: str, name: str) -> bool:
    """Whether ``name`` is ``pattern``, in which ``*`` stands for any text."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name, re.DOTALL) is not None


def matching(patterns: Iterable[str], names: Sequence[str], what: str) -> list[str]:
    """The ``names`` that any of ``patterns`` matches, in the order of ``names``.

    Raises:
        SightlineError: a pattern that matches nothing; ``what`` ("class of task 'cars'") says what it
            should have named.
    """
    found: set[str] = set()
    for pattern in patterns:
        matched = {name for name in names if matches(pattern, name)}
        if not matched:
            raise SightlineError(not_there(pattern, names, what))
        found |= matched
    return [name for name in names if name in found]


def not_there(name: str, names: Iterable[str], what: str) -> str:
    """A sentence that says that there is no ``name``, and what was meant or what there is."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {listing(names)}."
    return f"'{name}' is no {what}; {hint}"


def listing(names: Sequence[str], most: int = 20) -> str:
    """``'a', 'b' and 30 more``."""
    if not names:
        return "none"
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
