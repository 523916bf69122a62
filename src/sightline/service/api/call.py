"""What a route needs to know about the call it answers."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from sightline.service.core import Core
from sightline.service.domain.permissions import Actor
from sightline.service.domain.refusals import NotAllowedError
from sightline.service.store.paging import LARGEST_PAGE, Paging


@dataclass(frozen=True)
class Call:
    """The service and the user who calls it, authenticated by `sightline.service.api.gate`."""

    core: Core
    actor: Actor


async def _call(request: Request) -> Call:
    return Call(request.app.state.core, request.state.actor)


async def _paging(
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    page_size: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> Paging:
    return Paging(page, page_size)


CallDep = Annotated[Call, Depends(_call)]
PagingDep = Annotated[Paging, Depends(_paging)]


def require(allowed: bool, sentence: str) -> None:
    """Refuse the call with ``sentence`` (403) unless it is allowed."""
    if not allowed:
        raise NotAllowedError(sentence)
