"""Finding what a user means by an id, the beginning of an id, a name, or ``latest``."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, TypeVar

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import ExperimentOut, TrainerOut

LATEST = "latest"


class _Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def find_experiment(client: "ServiceClient", text: str) -> "ExperimentOut":
    """The experiment that ``text`` stands for; of several with that name the newest.

    Raises:
        SightlineError: there is none, or several ids begin so.
    """
    from sightline.client import ServiceError

    if text == LATEST:
        candidates = client.experiments(limit=1)
    else:
        try:
            return client.experiment(text)
        except ServiceError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise
        candidates = client.experiments()
    return client.experiment(pick("experiment", candidates, text).id)


def find_trainer(client: "ServiceClient", text: str) -> "TrainerOut":
    """The trainer that ``text`` stands for; of several with that name the newest."""
    newest_first = sorted(client.trainers(), key=lambda trainer: trainer.created_at, reverse=True)
    return pick("trainer", newest_first, text)


def pick(kind: str, items: Sequence[N], text: str) -> N:
    """The item (newest first) with that id or name, or the only one whose id begins so.

    Raises:
        SightlineError: none or several fit; the sentence names the command that lists them.
    """
    if text == LATEST and items:
        return items[0]
    for item in items:
        if item.id == text:
            return item
    for item in items:
        if item.name == text:
            return item
    found = [item for item in items if item.id.startswith(text)] if len(text) >= 3 else []
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(item.id for item in found[:4])
        raise SightlineError(f"'{text}' begins the id of {len(found)} {kind}s ({some}); give more of it.")
    raise SightlineError(f"there is no {kind} '{text}'; `sightline {kind} ls` lists those there are.")
