"""Dataset folders on this machine: samples fetched from the service, hidden data sent to it."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.output import OnBytes, progress_bar
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import DatasetCreate, DatasetOut, Policy, Variant
    from sightline.data import Dataset

_INFO = "dataset_info.json"


def fetch_sample(
    name: str, version: str | None, folder: Path, *, force: bool, on_progress: OnBytes
) -> "Dataset | None":
    """Put the sample of a dataset into ``folder``; None where it is there already.

    The folder appears, or is replaced, whole or not at all; an interrupted download is gone on with.

    Raises:
        SightlineError: ``folder`` holds something else, or as the service says.
    """
    from sightline.client.download import fetch_sample_archive
    from sightline.data import Dataset
    from sightline.data.archive import unpack_dataset

    if (folder / _INFO).is_file():
        if not force and version in (None, Dataset.from_path(folder).info.version):
            return None
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SightlineError(f"{folder}: is there and is no dataset; choose another --destination.")
    folder = folder.resolve()
    archive = folder.parent / f".{folder.name}.{version or 'latest'}.zip"
    try:
        fetch_sample_archive(name, version, archive, on_progress)
        unpack_dataset(archive, folder, overwrite=True)
    finally:
        archive.unlink(missing_ok=True)
    return Dataset.from_path(folder)


def publish_dataset(
    client: "ServiceClient",
    path: Path,
    *,
    name: str | None,
    title: str,
    policy: "Policy",
    sample: int | Path,
) -> "DatasetOut":
    """Publish the dataset in the folder ``path``; ``sample`` is a number of items or a dataset's folder.

    The same dataset published again resumes what was interrupted.

    Raises:
        SightlineError: one of the folders is no dataset, or as the service says.
    """
    from sightline.client.messages import message
    from sightline.client.wire import DatasetCreate, Variant
    from sightline.data import Dataset

    hidden = Dataset.from_path(path)
    # All that can be wrong here is found before the service hears of the dataset.
    if isinstance(sample, Path):
        Dataset.from_path(sample)
    elif sample >= len(hidden):
        raise SightlineError(
            f"{path}: has {len(hidden)} items, so a sample of {sample} would make all of it public; "
            "give a smaller --sample."
        )
    version = hidden.info.version
    request = message(
        DatasetCreate,
        name=name or hidden.info.dataset_name,
        title=title or hidden.info.dataset_title or "",
        overview=hidden.info.description or "",
        policy=policy,
    )
    dataset = _existing_or_new(client, request)
    with tempfile.TemporaryDirectory(prefix="sightline-publish-") as temporary:
        work = Path(temporary)
        if isinstance(sample, Path):
            sample_folder = sample
        else:
            sample_folder = work / "sample"
            hidden.create_sample_dataset(n=sample).write(sample_folder)
        # Hidden first: a job that starts in between would otherwise be given the sample.
        _send(client, dataset, path, Variant.HIDDEN, version, work)
        return _send(client, dataset, sample_folder, Variant.SAMPLE, version, work)


def _existing_or_new(client: "ServiceClient", request: "DatasetCreate") -> "DatasetOut":
    from http import HTTPStatus

    from sightline.client import ServiceError

    try:
        return client.create_dataset(request)
    except ServiceError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
    existing = client.dataset(request.name)
    if existing.policy != request.policy:
        raise SightlineError(
            f"dataset '{existing.name}' is published already, with release rule "
            f"'{existing.policy.release.value}' and "
            f"{'any sandbox' if existing.policy.allow_process_sandbox else 'isolated sandboxes only'}; "
            f"publish it with the same options, or delete it first."
        )
    return existing


def _send(
    client: "ServiceClient",
    dataset: "DatasetOut",
    folder: Path,
    variant: "Variant",
    version: str,
    work: Path,
) -> "DatasetOut":
    from sightline.data.archive import pack_dataset

    archive = work / f"{variant.value}.zip"
    pack_dataset(folder, archive)
    with progress_bar(f"uploading {variant.value}") as on_bytes:
        published = client.upload_variant(dataset.id, archive, variant, version, on_bytes)
    archive.unlink()
    return published
