"""A package that is not installed, as those who only predict or serve have no PyTorch."""

from importlib.metadata import PackageNotFoundError, metadata, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_WHOLE = "all"  # the extra of all the others


def missing_package(error: ModuleNotFoundError) -> str | None:
    """What to install; None where ``error`` is not of a package that an extra of Sightline installs."""
    package = canonicalize_name((error.name or "").partition(".")[0])
    extra = _extra_with(package)
    return extra and f"this needs {package}; install it with pip install 'sightline[{extra}]'."


def _extra_with(package: str) -> str | None:
    try:
        extras = metadata("sightline").get_all("Provides-Extra") or []
        listed = [Requirement(text) for text in requires("sightline") or ()]
    except PackageNotFoundError:
        return None
    markers = [
        one.marker for one in listed if canonicalize_name(one.name) == package and one.marker is not None
    ]
    return next(
        (
            extra
            for extra in extras
            if extra != _WHOLE and any(one.evaluate({"extra": extra}) for one in markers)
        ),
        None,
    )
