"""Dataset folders on this machine that are published as hidden data."""

from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli.output import note
from sightline.errors import SightlineError
from sightline.files import temporary_folder
from sightline.progress_bar import progress_bar

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import DatasetCreate, DatasetOut, Policy, Variant
    from sightline.data import Dataset


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
        public = Dataset.from_path(sample)
    elif sample >= len(hidden):
        raise SightlineError(
            f"{path}: has {len(hidden)} items, so a sample of {sample} would make all of it public; "
            "give a smaller --sample."
        )
    else:
        public = hidden.create_sample_dataset(n=sample)
    _note_positions(public)
    version = hidden.info.version
    request = message(
        DatasetCreate,
        name=name or hidden.info.dataset_name,
        title=title or hidden.info.dataset_title or "",
        overview=hidden.info.description or "",
        policy=policy,
    )
    dataset = _existing_or_new(client, request)
    with temporary_folder("sightline-publish-") as work:
        if isinstance(sample, Path):
            sample_folder = sample
        else:
            sample_folder = work / "sample"
            public.write(sample_folder)
        # Hidden first: a job that starts in between would otherwise be given the sample.
        _send(client, dataset, path, Variant.HIDDEN, version, work)
        return _send(client, dataset, sample_folder, Variant.SAMPLE, version, work)


def _note_positions(public: "Dataset") -> None:
    """Say it before everybody can see from the sample where its images were taken."""
    from sightline.data.exif import find_gps

    paths = public.samples["file_path"].drop_nulls().unique(maintain_order=True).to_list()
    found = find_gps(paths)
    if len(found):
        note(
            f"{len(found)} of {len(paths)} images of the sample say where they were taken (GPS in "
            f"{found['source'][0]}; the first is {found['file_path'][0]}); everybody can read that from the "
            "sample. Dataset.strip_metadata writes the images without it."
        )


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
