"""``/trainers``: packages are checked when they arrive, and never unpacked or run here."""

import secrets
import shutil
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile

from sightline.client.wire import Name, Page, TrainerOut, TrainerPatch
from sightline.errors import SightlineError
from sightline.files import readable_size
from sightline.service.api import present
from sightline.service.api.call import CallDep, PagingDep
from sightline.service.domain.refusals import RefusedError, TooLargeError
from sightline.service.store import trainers
from sightline.service.store.objects import Arrived, LocalObjects
from sightline.trainer_package import check_zip, parse_command, read_zip

router = APIRouter(prefix="/trainers", tags=["trainers"])

_COPY_BLOCK = 1 << 20


@router.get("")
def list_trainers(call: CallDep, paging: PagingDep) -> Page[TrainerOut]:
    """The caller's trainers, newest first; an admin sees all."""
    with call.core.database.read() as session:
        count, rows = trainers.page(session, call.actor, paging)
        return Page(count=count, data=[present.trainer(row) for row in rows])


@router.post("", status_code=201)
def create_trainer(
    call: CallDep,
    name: Annotated[Name, Form()],
    file: Annotated[UploadFile, File()],
    description: Annotated[str, Form(max_length=10_000)] = "",
    default_command: Annotated[str, Form(max_length=4000)] = "",
) -> TrainerOut:
    """A new trainer from a ``trainer.zip``. A name may be used again: it then means the newer one."""
    core = call.core
    if file.size is not None and file.size > core.settings.max_trainer_bytes:
        raise TooLargeError(
            f"The package is larger than the {readable_size(core.settings.max_trainer_bytes)} allowed."
        )
    upload_id = secrets.token_hex(8)
    try:
        package = _store(core.objects, upload_id, file)
        names = _checked(package.path, file.filename or "trainer.zip")
        if default_command:
            parse_command(default_command, names)
        with core.database.write() as session:
            row = trainers.create(
                session, call.actor, name, description, default_command, package, names, core.now()
            )
            core.objects.keep(package)
            return present.trainer(row)
    finally:
        core.objects.discard(upload_id)


@router.get("/{trainer}")
def show_trainer(trainer: str, call: CallDep) -> TrainerOut:
    """One trainer."""
    with call.core.database.read() as session:
        return present.trainer(trainers.find(session, trainer, call.actor))


@router.patch("/{trainer}")
def change_trainer(trainer: str, request: TrainerPatch, call: CallDep) -> TrainerOut:
    """Change a trainer's name, description or default command; the package stays (its author, admin)."""
    with call.core.database.write() as session:
        row = trainers.find(session, trainer, call.actor)
        if request.default_command:
            parse_command(request.default_command, row.file_names)
        for field, value in request.model_dump(exclude_none=True).items():
            setattr(row, field, value)
        return present.trainer(row)


def _store(objects: LocalObjects, upload_id: str, file: UploadFile) -> Arrived:
    with objects.appending(upload_id, 0) as target:
        shutil.copyfileobj(file.file, target, _COPY_BLOCK)
    return objects.hashed(upload_id)


def _checked(path: Path, filename: str) -> list[str]:
    """The files of a package; what is wrong with it is said with the name that its sender knows."""
    try:
        check_zip(path)
        return [packed.name for packed in read_zip(path)]
    except SightlineError as error:
        raise RefusedError(str(error).replace(str(path), filename)) from error
