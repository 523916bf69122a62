"""How users write down which dataset they mean, and how versions are ordered."""

import re
from collections.abc import Iterable

from sightline.service.domain.refusals import RefusedError

_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")
_SHOWN = 20


def parse_dataset(reference: str) -> tuple[str, str | None]:
    """``"digits"`` as ``("digits", None)`` and ``"digits:1.0.0"`` as ``("digits", "1.0.0")``."""
    name, colon, version = reference.strip().partition(":")
    if not name or (colon and not _VERSION.fullmatch(version)):
        raise RefusedError(
            f"Dataset '{reference}' cannot be read: write a name ('digits') or a name and a version "
            "('digits:1.0.0')."
        )
    return name, version or None


def version_key(version: str) -> tuple[int, ...]:
    """Sorts ``1.10.0`` after ``1.9.0``."""
    return tuple(int(part) for part in version.split("."))


def unknown(kind: str, asked: str, names: Iterable[str], where_from: str) -> RefusedError:
    """The refusal of a name that is not there, with those that are; ``where_from`` says how to get one."""
    known = sorted(set(names))
    if not known:
        return RefusedError(f"{kind} '{asked}' is unknown, and there are none yet: {where_from}.")
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return RefusedError(f"{kind} '{asked}' is unknown; there are: {', '.join(known[:_SHOWN])}{more}.")
