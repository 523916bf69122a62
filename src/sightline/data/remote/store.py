"""One place in an object store: read, write, list and delete below it, errors in one sentence each.

Where the store is and who asks comes from the environment, by the names that everything else uses:
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_REGION``, and
``AWS_ENDPOINT_URL`` for MinIO, Ceph, R2 and others that speak S3; ``GOOGLE_SERVICE_ACCOUNT`` and its like.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, from_url

from sightline.data.content_names import digest_in
from sightline.data.remote.urls import split_url
from sightline.errors import SightlineError
from sightline.files import temporary_folder

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CHUNK = 8 << 20
"""Bytes of a large object that are moved at once; objects up to this size are moved in one piece."""

_CONFIGURATION = ("AWS_", "GOOGLE_")
_CLIENT: "ClientConfig" = {
    "allow_http": True,  # only asked for by an endpoint that says so
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(seconds=20),  # without a byte
    "timeout": timedelta(hours=1),  # for one object, however slow the line
}
# From the first try on, so that one which a store never answers leaves time for others.
_RETRY: "RetryConfig" = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
_CONCURRENT_CHUNKS = 4

# What a store answers, as XML, with its 4xx: <Error><Code>NoSuchBucket</Code><Message>...
_ANSWER = re.compile(r"<Code>(?P<code>[^<]*)</Code>\s*(<Message>(?P<message>[^<]*)</Message>)?")
_ADDRESS = re.compile(r"https?://[^\s/]+")
# Where virtual machines ask for credentials: the last place to look, so nobody else had any.
_METADATA_SERVERS = ("/latest/api/token", "/latest/meta-data", "metadata.google.internal")


class Place:
    """A URL of an object store, or a folder of this machine, and the objects whose names begin with it.

    Names are relative to it. Writing is whole or not at all. May be used by several threads, but not
    by a process forked after it was first used.
    """

    def __init__(self, store: "ObjectStore", prefix: str, url: str) -> None:
        self._store = store
        self._prefix = f"{prefix}/" if prefix else ""
        self.url = url

    @classmethod
    def at(cls, url: str) -> "Place":
        """The place that a URL (`urls.remote_url`) names.

        Raises:
            SightlineError: the URL names no bucket, or the configuration is not complete.
        """
        root, key = split_url(url)
        names = sorted(name for name in os.environ if name.startswith(_CONFIGURATION))
        with _one_sentence(url):
            store = _opened(root, tuple((name, os.environ[name]) for name in names))
        return cls(store, key, url)

    @classmethod
    def of_folder(cls, folder: Path) -> "Place":
        """A folder of this machine, made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(LocalStore(folder), "", folder.as_posix())

    def chunks(self, name: str) -> Iterator[bytes]:
        """The object's bytes in pieces of `CHUNK`; a small object is one piece.

        Raises:
            SightlineError: there is no such object, or the store cannot be reached.
        """
        with _one_sentence(f"{self.url}/{name}"):
            yield from obstore.get(self._store, self._prefix + name).stream(CHUNK)

    def write(self, name: str, content: bytes | Path | IO[bytes]) -> None:
        """Write an object, in place of one of that name."""
        with _one_sentence(f"{self.url}/{name}"):
            obstore.put(
                self._store,
                self._prefix + name,
                content,
                chunk_size=CHUNK,
                max_concurrency=_CONCURRENT_CHUNKS,
            )

    def size(self, name: str) -> int:
        """The size of an object in bytes.

        Raises:
            SightlineError: there is no such object, or the store cannot be reached.
        """
        with _one_sentence(f"{self.url}/{name}"):
            return obstore.head(self._store, self._prefix + name)["size"]

    def sizes(self, folder: str) -> dict[str, int]:
        """Name and size in bytes of all objects in ``folder`` and the folders in it."""
        start = len(self._prefix)
        with _one_sentence(self.url):
            listed = obstore.list(self._store, f"{self._prefix}{folder}", chunk_size=1000)
            return {item["path"][start:]: item["size"] for chunk in listed for item in chunk}

    def entries(self) -> set[str]:
        """Names of the objects and folders right here."""
        with _one_sentence(self.url):
            listed = obstore.list_with_delimiter(self._store, self._prefix.rstrip("/") or None)
        objects = (item["path"] for item in listed["objects"])
        return {PurePosixPath(path).name for path in (*objects, *listed["common_prefixes"])}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects that are there."""
        paths = [self._prefix + name for name in names]
        if paths:
            with _one_sentence(self.url):
                obstore.delete(self._store, paths)


def verified_chunks(url: str) -> Iterator[bytes]:
    """One image in pieces of `CHUNK`, compared at the end with what its name says is in it.

    Raises:
        SightlineError: there is no such object, the store cannot be reached, or the bytes are others.
    """
    folder, _, name = url.rpartition("/")
    digest, sha256 = digest_in(url), hashlib.sha256()
    for chunk in Place.at(folder).chunks(name):
        sha256.update(chunk)
        yield chunk
    if digest and not sha256.hexdigest().startswith(digest):
        raise SightlineError(f"{url}: is damaged, its content is not what its name says; upload it again.")


@contextmanager
def on_disk(url: str) -> Iterator[Path]:
    """One object as a file, for as long as the block lasts; errors that name the file name the URL instead.

    Raises:
        SightlineError: there is no such object, or the store cannot be reached.
    """
    with temporary_folder() as folder:
        path = folder / url.rpartition("/")[2]
        with path.open("wb") as stream:
            stream.writelines(verified_chunks(url))
        with names_replaced(path.as_posix(), url):
            yield path


@contextmanager
def names_replaced(path: str, url: str) -> Iterator[None]:
    """Errors in the block that name a temporary copy name what it is a copy of."""
    try:
        yield
    except SightlineError as error:
        raise SightlineError(str(error).replace(path, url)) from error


@lru_cache(maxsize=16)
def _opened(root: str, _configuration: tuple[tuple[str, str], ...]) -> "ObjectStore":
    # The store reads the environment itself; the argument makes a changed one open another store.
    return from_url(root, client_options=_CLIENT, retry_config=_RETRY)


@contextmanager
def _one_sentence(url: str) -> Iterator[None]:
    _refuse_forked(url)
    try:
        yield
    except FileNotFoundError as error:
        raise SightlineError(f"{url}: {_missing(url, str(error))}") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        said = _answer(str(error)) or "access denied"
        raise SightlineError(f"{url}: {said}; check the credentials and what they may do.") from error
    except BaseError as error:
        raise SightlineError(f"{url}: {_other_problem(url, str(error))}") from error


def _refuse_forked(url: str) -> None:
    """The threads that do the work stay behind when a process forks, and it would wait for them forever."""
    if _first_process() != os.getpid():
        raise SightlineError(
            f"{url}: an object store cannot be used in a process forked from one that used it; download the "
            "dataset first (Dataset.download)."
        )


@lru_cache
def _first_process() -> int:
    """The process that used a store first: remembered by those that are forked from it, too."""
    return os.getpid()


def _missing(url: str, text: str) -> str:
    if "NoSuchBucket" in text:
        return f"there is no bucket '{_bucket(url)}'; create it, or check the endpoint and the name."
    return "there is no such object; is the dataset complete?"


def _other_problem(url: str, text: str) -> str:
    first = text.splitlines()[0]
    if any(server in text for server in _METADATA_SERVERS):
        return "found no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the store's own)."
    if "NoSuchBucket" in text:
        return _missing(url, text)
    if said := _answer(text):
        return f"{said}."
    if "HTTP error" in text:
        address = _ADDRESS.search(first)
        where = address[0] if address else "the object store"
        why = first.rpartition(" - ")[2]
        return f"{where} cannot be reached; check AWS_ENDPOINT_URL and the network ({why})."
    return f"{first.rstrip('.')}."


def _answer(text: str) -> str | None:
    """The store's own words, without a full stop."""
    found = _ANSWER.search(text)
    return (found["message"] or found["code"]).strip().rstrip(".") if found else None


def _bucket(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
