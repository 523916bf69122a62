"""Where a run's files go: folders named by the job's variables in a job, ``.data/experiments`` elsewhere."""

import re
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sightline.errors import SightlineError
from sightline.job_contract import in_job, job_folder

RUN_FILE = "run.json"
CONFIGURATION_FILE = "configuration.json"
ENVIRONMENT_FILE = "environment.json"
GIT_DIFF_FILE = "git.diff"
METRICS_FILE = "metrics.jsonl"
METRICS_TABLE = "metrics.parquet"

EXPERIMENTS_FOLDER = Path(".data") / "experiments"

_UNSUITABLE = re.compile(r"[^\w.-]+")
_LONGEST_NAME = 80  # characters, so that folder names stay readable and below every file system's limit


@dataclass(frozen=True)
class RunLocations:
    """The folders of one run. Only ``run`` is sure to exist; the others are made when first asked for."""

    run: Path
    model: Path
    checkpoints: Path
    artifacts: Path


def find_locations(name: str | None, folder: Path | None) -> RunLocations:
    """Choose a run's folders and make the run directory.

    In a job the job's variables win over ``folder``, so that a script which names a folder still returns
    its metrics and model. Elsewhere ``folder`` is used as it is (an existing one is continued), and
    without it a new ``.data/experiments/<time>-<name>`` is made that no other run shares.

    Raises:
        SightlineError: the run directory cannot be made.
    """
    job = _job_folders() if in_job() else {}
    run = job.get("run") or (folder.absolute() if folder else None)
    try:
        if run is None:
            run = _new_folder(Path.cwd() / EXPERIMENTS_FOLDER, name or default_name())
        else:
            run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        where = error.filename or run
        raise SightlineError(
            f"The run directory {where} cannot be made ({error.strerror}); choose another with folder=..."
        ) from error
    return RunLocations(
        run=run,
        model=job.get("model", run / "model"),
        checkpoints=job.get("checkpoints", run / "checkpoints"),
        artifacts=job.get("artifacts", run / "data"),
    )


def default_name() -> str:
    """The running script's name without ``.py``; ``run`` where there is no script."""
    stem = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-", "-c", "-m") else ""
    return "run" if stem in ("", "__main__") else stem


def _job_folders() -> dict[str, Path]:
    roles = ("run", "model", "checkpoints", "artifacts")
    folders = {role: folder for role in roles if (folder := job_folder(role))}
    # The other service has no variable for a run directory; what lies among the artifacts is collected.
    if "run" not in folders and "artifacts" in folders:
        folders["run"] = folders["artifacts"] / "run"
    return folders


def _new_folder(parent: Path, name: str) -> Path:
    slug = _UNSUITABLE.sub("-", name).strip("-.")[:_LONGEST_NAME] or "run"
    base = f"{datetime.now():%Y%m%d-%H%M%S}-{slug}"
    parent.mkdir(parents=True, exist_ok=True)
    attempt = 1
    while True:
        folder = parent / (base if attempt == 1 else f"{base}-{attempt}")
        try:
            folder.mkdir()  # making it is the claim: of two runs in one instant only one succeeds
        except FileExistsError:
            attempt += 1
        else:
            return folder
