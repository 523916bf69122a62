"""``/datasets/{dataset}/uploads``: archives arrive in pieces and can be gone on with."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sightline.client.wire import DatasetOut, Upload, UploadCreate
from sightline.files import readable_size
from sightline.service.api import present
from sightline.service.api.call import Call, CallDep, require
from sightline.service.api.files import receive_upload
from sightline.service.dataset_archive import inspect
from sightline.service.domain.permissions import may_manage
from sightline.service.domain.refusals import ConflictError, RefusedError, TooLargeError
from sightline.service.store import datasets, uploads
from sightline.service.store.tables import DatasetRow, UploadRow

router = APIRouter(prefix="/datasets/{dataset}/uploads", tags=["datasets"])


@router.post("", status_code=201)
def announce(dataset: str, request: UploadCreate, call: CallDep, response: Response) -> Upload:
    """Announce an archive (the dataset's owner, admin). The same one again answers how far it got."""
    core = call.core
    if request.size_bytes > core.settings.max_archive_bytes:
        raise TooLargeError(
            f"The archive has {readable_size(request.size_bytes)}, more than the "
            f"{readable_size(core.settings.max_archive_bytes)} allowed."
        )
    with core.database.write() as session:
        row, is_new = uploads.announce(session, _own(session, dataset, call), request, call.actor, core.now())
        if is_new:
            core.objects.check_room(request.size_bytes)
        else:
            response.status_code = 200
        return _present(call, row)


@router.get("/{upload}")
def show(dataset: str, upload: str, call: CallDep) -> Upload:
    """How far an upload got."""
    return _present(call, _find(call, dataset, upload)[1])


@router.patch("/{upload}", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}})
async def append(
    dataset: str,
    upload: str,
    call: CallDep,
    request: Request,
    upload_offset: Annotated[int, Header(ge=0)],
) -> Upload:
    """Send the next bytes; header ``Upload-Offset`` says where they belong. 409 where that is not the end."""
    _, row = await run_in_threadpool(_find, call, dataset, upload)
    if row.completed_at is not None:
        raise ConflictError("The upload is complete; nothing can be added to it.")
    size = await receive_upload(
        request, call.core.objects, row.id, upload_offset, row.size_bytes, "The announced archive"
    )
    return Upload(id=row.id, offset=size, size_bytes=row.size_bytes)


@router.post("/{upload}/complete")
def complete(dataset: str, upload: str, call: CallDep) -> DatasetOut:
    """Check the archive's hash and content and publish it. Completing it again changes nothing."""
    core, objects = call.core, call.core.objects
    dataset_row, row = _find(call, dataset, upload)
    if row.completed_at is None:
        there = objects.uploaded(row.id)
        if there != row.size_bytes:
            raise ConflictError(f"{there} of {row.size_bytes} bytes have arrived; send the rest first.")
        arrived = objects.verify(row.id, row.sha256)
        try:
            inspected = inspect(arrived.path)
        except RefusedError:
            objects.discard(row.id)
            raise
        with core.database.write() as session:
            current = datasets.find(session, dataset_row.id)
            mine = uploads.find(session, current, upload, call.actor)
            if mine.completed_at is None:
                uploads.publish(session, current, mine, arrived, inspected, core.now())
                objects.keep(arrived)
    with core.database.read() as session:
        return present.dataset(datasets.find(session, dataset_row.id), with_info=True)


def _own(session: Session, dataset: str, call: Call) -> DatasetRow:
    row = datasets.find(session, dataset)
    require(may_manage(call.actor, row.owner_id), f"Only the owner of '{row.name}' uploads to it.")
    return row


def _find(call: Call, dataset: str, upload: str) -> tuple[DatasetRow, UploadRow]:
    with call.core.database.read() as session:
        row = _own(session, dataset, call)
        return row, uploads.find(session, row, upload, call.actor)


def _present(call: Call, row: UploadRow) -> Upload:
    done = row.completed_at is not None
    offset = row.size_bytes if done else call.core.objects.uploaded(row.id)
    return Upload(id=row.id, offset=offset, size_bytes=row.size_bytes)
