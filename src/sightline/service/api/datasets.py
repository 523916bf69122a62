"""``/datasets``: what users see of them, and the sample, which anyone may download."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from sightline.client.wire import DatasetCreate, DatasetOut, Page
from sightline.service.api import present
from sightline.service.api.call import CallDep, PagingDep, require
from sightline.service.api.files import ObjectResponse
from sightline.service.domain.permissions import may_manage, may_publish
from sightline.service.store import cleanup, datasets
from sightline.service.store.datasets import Ordering

router = APIRouter(prefix="/datasets", tags=["datasets"])


@router.get("")
def list_datasets(
    call: CallDep,
    paging: PagingDep,
    search: Annotated[str | None, Query(max_length=200)] = None,
    name__iexact: Annotated[str | None, Query(max_length=200)] = None,
    visibility: Literal["public", "private"] = "public",
    ordering: Ordering = "name",
) -> Page[DatasetOut]:
    """All datasets. Every user may know of every dataset, so none is ``private``."""
    if visibility == "private":
        return Page(count=0, data=[])
    with call.core.database.read() as session:
        count, rows = datasets.page(session, paging, ordering, search, name__iexact)
        return Page(count=count, data=[present.dataset(row, with_info=False) for row in rows])


@router.post("", status_code=201)
def create_dataset(request: DatasetCreate, call: CallDep) -> DatasetOut:
    """A new dataset with its policy; its data is uploaded next (owner, admin)."""
    require(may_publish(call.actor), "Only a data owner creates datasets; ask an admin for that role.")
    with call.core.database.write() as session:
        row = datasets.create(session, request, call.actor, call.core.now())
        return present.dataset(row, with_info=True)


@router.get("/{dataset}")
def show_dataset(dataset: str, call: CallDep) -> DatasetOut:
    """One dataset, by id or name, with the tasks and classes of its sample."""
    with call.core.database.read() as session:
        return present.dataset(datasets.find(session, dataset), with_info=True)


@router.delete("/{dataset}", status_code=204)
def delete_dataset(dataset: str, call: CallDep) -> None:
    """Delete a dataset and its bytes (its owner, admin). Experiments on it stay, and their artifacts."""
    core = call.core
    with core.database.write() as session:
        row = datasets.find(session, dataset)
        require(may_manage(call.actor, row.owner_id), f"Only the owner of '{row.name}' deletes it.")
        hashes, uploads = datasets.delete_dataset(session, row)
        for upload in uploads:
            core.objects.discard(upload)
        unused = cleanup.unreferenced(session, hashes)
    for sha256 in unused:
        core.objects.delete(sha256)


@router.get("/{dataset}/sample", response_class=Response)
def download_sample(
    dataset: str, call: CallDep, version: Annotated[str | None, Query(max_length=50)] = None
) -> Response:
    """The sample's archive, the newest version unless one is named; ``Range`` is honoured."""
    with call.core.database.read() as session:
        row = datasets.find(session, dataset)
        sample = datasets.sample(session, row, version)
        filename = f"{row.name}-{sample.version}-sample.zip"
        return ObjectResponse(call.core.objects, sample.sha256, filename)
