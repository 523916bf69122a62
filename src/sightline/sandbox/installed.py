"""Whether the packages of the environment we run in are what a trainer package asks for."""

from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURSELVES = "sightline"


def unmet(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Those that the running environment does not satisfy; [] when it has everything.

    Markers are evaluated and the extras that are asked for are followed, theirs too.
    """
    missing: list[Requirement] = []
    seen: set[tuple[str, str]] = set()
    waiting = [requirement for requirement in requirements if applies(requirement)]
    while waiting:
        requirement = waiting.pop(0)
        name = canonicalize_name(requirement.name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            missing.append(requirement)
            continue
        if not _is_met_by(requirement, found):
            missing.append(requirement)
            continue
        for extra in requirement.extras:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _of_extra(found, extra)
    return missing


def with_our_own(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Replace ``sightline`` by what the running one needs, for an environment that borrows its code."""
    found: dict[str, Requirement] = {}
    for requirement in requirements:
        if not applies(requirement):
            continue
        if canonicalize_name(requirement.name) != OURSELVES:
            found[str(requirement)] = requirement
            continue
        try:
            ourselves = distribution(OURSELVES)
        except PackageNotFoundError:
            continue
        waiting = ["", *sorted(requirement.extras)]
        seen: set[str] = set()
        while waiting:
            extra = waiting.pop()
            if extra in seen:
                continue
            seen.add(extra)
            for needed in _of_extra(ourselves, extra):
                if canonicalize_name(needed.name) == OURSELVES:
                    waiting += needed.extras  # an extra that is made of other extras
                else:
                    found[str(needed)] = needed
    return list(found.values())


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Whether its marker holds here."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _is_met_by(requirement: Requirement, found: Distribution) -> bool:
    if requirement.url is not None:
        return canonicalize_name(requirement.name) == OURSELVES
    return requirement.specifier.contains(found.version, prereleases=True)


def _of_extra(found: Distribution, extra: str) -> list[Requirement]:
    """Its own requirements ('') or those that only ``extra`` adds; without the marker, which was used up."""
    result = []
    for text in found.requires or ():
        requirement = Requirement(text)
        if applies(requirement, extra) and (not extra or not applies(requirement)):
            requirement.marker = None
            result.append(requirement)
    return result
