"""Fetching a dataset's sample by name, for whoever has a name and a profile."""

from pathlib import Path

from sightline.client.connection import connect
from sightline.client.resumable_download import Progress


def fetch_sample_archive(
    name: str, version: str | None, target: Path, on_progress: Progress | None = None
) -> Path:
    """Download the archive of a dataset's sample into the file ``target`` and return it; resumable.

    Raises:
        ServiceError: the service cannot be reached, or has no such dataset or version.
        SightlineError: no service is configured, and the sentence says how to.
    """
    with connect() as client:
        client.download_sample(name, version, target, on_progress)
    return target
