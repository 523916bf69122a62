"""URLs of object stores, and paths that are none."""

import re
from pathlib import Path

import polars as pl

from sightline.errors import SightlineError

_URL = re.compile(r"(?P<scheme>s3|gs):/+(?P<rest>.*)", re.DOTALL)
_COLUMN = r"^(s3|gs):/"


def remote_url(path: str | Path) -> str | None:
    """``path`` as a URL of an object store (``s3://bucket/prefix``) without a slash at its end; None where
    it is a path of this machine.

    A URL that went through `pathlib` has lost one of its slashes and is taken as what it was.
    """
    found = _URL.fullmatch(str(path))
    return f"{found['scheme']}://{found['rest'].strip('/')}" if found else None


def split_url(url: str) -> tuple[str, str]:
    """``s3://bucket/a/b`` as (``s3://bucket``, ``a/b``).

    Raises:
        SightlineError: no bucket is named.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket:
        raise SightlineError(f"{url}: names no bucket; write {scheme}://bucket/prefix.")
    return f"{scheme}://{bucket}", key


def are_remote(paths: pl.Series) -> pl.Series:
    """Which of the paths are URLs of an object store."""
    return paths.str.contains(_COLUMN)


def not_found(path: str | Path, what: str = "image") -> SightlineError:
    """The error for a file that is not on this machine, and why: it is missing, or elsewhere."""
    if url := remote_url(path):
        return SightlineError(f"{url}: is in an object store; download the dataset first (Dataset.download).")
    return SightlineError(f"{path}: {what} not found; is the dataset folder complete?")
