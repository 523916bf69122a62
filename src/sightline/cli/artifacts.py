"""Downloading what an experiment left."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sightline.errors import SightlineError
from sightline.files import sha256_file
from sightline.progress_bar import OnBytes

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import Artifact, ExperimentOut


def chosen_artifacts(
    client: "ServiceClient", experiment: "ExperimentOut", only: Sequence[str]
) -> list["Artifact"]:
    """The artifacts below any of the paths ``only``; all of them where that is empty.

    Raises:
        SightlineError: there is nothing to download (yet), and why.
    """
    if not experiment.state.ended:
        raise SightlineError(
            f"'{experiment.name}' is {experiment.state.value} and has nothing to download yet; "
            f"`sightline experiment logs {experiment.id} --follow` waits for its end."
        )
    artifacts = client.artifacts(experiment.id)
    wanted = [PurePosixPath(path) for path in only]
    chosen = [a for a in artifacts if not wanted or any(_is_below(a.path, path) for path in wanted)]
    if not chosen:
        there = ", ".join(sorted({a.path.split("/")[0] for a in artifacts})) or "nothing"
        what = " or ".join(only) if only else "artifacts"
        raise SightlineError(f"'{experiment.name}' left no {what} (it left: {there}).")
    return chosen


def fetch_artifacts(
    client: "ServiceClient",
    experiment: "ExperimentOut",
    artifacts: Sequence["Artifact"],
    folder: Path,
    on_bytes: OnBytes,
) -> None:
    """Write the artifacts below ``folder``; files that are there already, whole, are not fetched again.

    Raises:
        SightlineError: an artifact's path leads out of ``folder``; or as the service says.
    """
    total = sum(artifact.size_bytes for artifact in artifacts)
    before = 0
    for artifact in artifacts:
        path = PurePosixPath(artifact.path)
        if path.is_absolute() or ".." in path.parts or "\\" in artifact.path:
            raise SightlineError(f"artifact '{artifact.path}' leads out of the folder; it is not downloaded.")
        target = folder / path
        if not (target.is_file() and sha256_file(target) == artifact.sha256):
            base = before
            client.download_artifact(
                experiment.id, artifact.path, target, lambda done, _, base=base: on_bytes(base + done, total)
            )
        before += artifact.size_bytes
        on_bytes(before, total)


def _is_below(path: str, folder: PurePosixPath) -> bool:
    return PurePosixPath(path) == folder or folder in PurePosixPath(path).parents
