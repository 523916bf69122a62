"""`Registry`: a place for exported models, each under a name with dated revisions.

It is a folder, or a prefix of an object store, with the layout ``<name>/<revision>/<file>``. Beside each file
is ``revision.json``: when it was pushed, the file's hash, and its card, so that a listing reads no model. It
is written last: a revision without it does not exist. Nothing is ever changed, so any number of people may
push at once.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sightline.config import Config
from sightline.data.remote.store import Place
from sightline.data.remote.urls import remote_url
from sightline.deploy.card import ModelCard
from sightline.deploy.card_files import read_card
from sightline.errors import SightlineError
from sightline.files import sha256_file, written_whole

LOCAL_REGISTRY = Path(".data") / "models"
"""Where models are kept, unless something else is said."""

VARIABLE = "SIGHTLINE_REGISTRY"
"""The environment variable that names another place."""

_FACTS = "revision.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")


class Revision(Config):
    """One file under a model's name."""

    name: str
    """Of the model."""
    revision: str
    """The day on which it was pushed, and the beginning of its hash: ``2026-11-20-1a2b3c4d``."""
    pushed_at: str
    """When, ISO 8601 in UTC."""
    file: str
    """The name of the file."""
    size_bytes: Annotated[int, Field(ge=0)]
    """Of the file."""
    sha256: str
    """Of the file's bytes."""
    card: ModelCard
    """The card in the file."""

    @property
    def reference(self) -> str:
        """What names it: ``water@2026-11-20-1a2b3c4d``."""
        return f"{self.name}@{self.revision}"

    @property
    def object_name(self) -> str:
        """Where its file is, relative to the registry."""
        return f"{self.name}/{self.revision}/{self.file}"


class Registry:
    """Exported models by name.

    Args:
        where: a folder, or a URL such as ``s3://bucket/models``; by default what ``SIGHTLINE_REGISTRY`` says,
        or
            `LOCAL_REGISTRY`.

    Raises:
        SightlineError: the place cannot be reached.
    """

    def __init__(self, where: str | Path | None = None) -> None:
        where = where or os.environ.get(VARIABLE) or LOCAL_REGISTRY
        url = remote_url(where)
        self._folder = Path(where).absolute() if url is None else None
        self._place = Place.at(url) if url is not None else Place.of_folder(Path(where).absolute())

    @property
    def url(self) -> str:
        """Where it is."""
        return self._place.url

    def push(self, file: Path, name: str | None = None) -> tuple[Revision, bool]:
        """Keep a copy of an exported file; False where the same bytes are there under that name already.

        Args:
            file: with a card.
            name: of the model; by default that of its card.

        Raises:
            SightlineError: it is no model file, the name is unfit, or it cannot be written.
        """
        card = read_card(file)
        name = name or re.sub(r"[^A-Za-z0-9._-]+", "-", card.name).strip("-._") or "model"
        _check_name(name)
        digest = sha256_file(file)
        for known in self.revisions(name):
            if known.sha256 == digest:
                return known, False
        now = datetime.now(UTC)
        revision = Revision(
            name=name,
            revision=f"{now:%Y-%m-%d}-{digest[:8]}",
            pushed_at=now.isoformat(timespec="microseconds"),
            file=f"{name}{file.suffix}",
            size_bytes=file.stat().st_size,
            sha256=digest,
            card=card,
        )
        self._place.write(revision.object_name, file)
        facts = f"{revision.name}/{revision.revision}/{_FACTS}"
        self._place.write(facts, revision.model_dump_json(indent=1).encode())
        return revision, True

    def models(self) -> list[Revision]:
        """The newest revision of each model, by name."""
        newest: dict[str, Revision] = {}
        for revision in self._revisions(""):
            newest[revision.name] = revision  # they come by time
        return [newest[name] for name in sorted(newest)]

    def revisions(self, name: str) -> list[Revision]:
        """All revisions of a model, oldest first."""
        _check_name(name)
        return [one for one in self._revisions(f"{name}/") if one.name == name]

    def find(self, reference: str) -> Revision:
        """The revision that ``name@revision`` names, or the newest of ``name``.

        The revision may be shortened to what begins no other one.

        Raises:
            SightlineError: there is none, or more than one.
        """
        name, _, wanted = reference.partition("@")
        revisions = self.revisions(name)
        if not revisions:
            known = ", ".join(one.name for one in self.models()) or "none"
            raise SightlineError(f"there is no model '{name}' in {self.url} (there are: {known}).")
        if not wanted:
            return revisions[-1]
        fitting = [one for one in revisions if one.revision.startswith(wanted)]
        if len(fitting) == 1:
            return fitting[0]
        found = ", ".join(one.revision for one in fitting or revisions)
        problem = "is the beginning of several revisions" if fitting else "has no such revision"
        raise SightlineError(f"{reference}: {problem}; there are {found}.")

    def pull(self, reference: str, target: Path | None = None) -> Path:
        """Fetch a file, compare it with its hash, and return where it is.

        Args:
            reference: see `find`.
            target: a file or an existing folder; by default the file's own name, here.

        Raises:
            SightlineError: there is none, it is damaged, or it cannot be written.
        """
        revision = self.find(reference)
        path = target or Path(revision.file)
        path = path / revision.file if path.is_dir() else path
        digest = hashlib.sha256()
        try:
            with written_whole(path) as staging, staging.open("wb") as stream:
                for chunk in self._place.chunks(revision.object_name):
                    digest.update(chunk)
                    stream.write(chunk)
                if digest.hexdigest() != revision.sha256:
                    raise SightlineError(
                        f"{revision.reference}: is damaged, its bytes are not those that were pushed; remove "
                        "it, and push the file again."
                    )
        except OSError as error:
            raise SightlineError(f"{path}: cannot be written ({error.strerror or error}).") from error
        return path

    def remove(self, reference: str) -> list[Revision]:
        """Remove one revision, or without ``@revision`` all of a model; return what was removed.

        Raises:
            SightlineError: there is none.
        """
        name, separator, _ = reference.partition("@")
        found = [self.find(reference)] if separator else self.revisions(name)
        if not found:
            self.find(reference)  # says what there is
        for revision in found:
            folder = f"{revision.name}/{revision.revision}"
            self._place.delete([f"{folder}/{_FACTS}"])  # first, as without it there is no revision
            self._place.delete([revision.object_name])
            if self._folder is not None:  # an object store has no folders to leave behind
                with suppress(OSError):  # it is not empty
                    (self._folder / folder).rmdir()
                    (self._folder / revision.name).rmdir()
        return found

    def _revisions(self, prefix: str) -> Iterator[Revision]:
        """Those below a prefix, by the time at which they were pushed."""
        found = []
        for name in self._place.sizes(prefix):
            parts = name.split("/")
            if len(parts) == 3 and parts[2] == _FACTS and _REVISION.fullmatch(parts[1]):
                found.append(self._read(name))
        yield from sorted(found, key=lambda one: (one.pushed_at, one.revision))

    def _read(self, name: str) -> Revision:
        try:
            return Revision(**json.loads(b"".join(self._place.chunks(name))))
        except (ValueError, TypeError, SightlineError) as error:
            raise SightlineError(f"{self.url}/{name}: is damaged ({error}).") from error


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SightlineError(
            f"'{name}' cannot name a model; use letters, digits, dots, dashes and underscores."
        )
