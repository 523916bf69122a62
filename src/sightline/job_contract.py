"""The job contract's variables: how code learns that it runs as a job, and where its folders are.

The sandbox sets them, `Dataset.from_name` and `RunLogger` read them. Each folder has several names, so that
packages written for other services run unmodified.
"""

import os
from pathlib import Path

SIGNS = {"SIGHTLINE_JOB": "1", "HAFNIA_CLOUD": "true"}
FOLDERS = {
    "dataset": ("SIGHTLINE_DATASET_DIR", "MDI_DATASET_DIR", "SM_CHANNEL_TRAINING"),
    "model": ("SIGHTLINE_MODEL_DIR", "MDI_MODEL_DIR", "SM_MODEL_DIR"),
    "checkpoints": ("SIGHTLINE_CHECKPOINT_DIR", "MDI_CHECKPOINT_DIR"),
    "artifacts": ("SIGHTLINE_ARTIFACT_DIR", "MDI_ARTIFACT_DIR", "SM_OUTPUT_DATA_DIR"),
    "run": ("SIGHTLINE_RUN_DIR",),
}


def in_job() -> bool:
    """True when this process runs as a job: one of `SIGNS` says so."""
    return any(os.environ.get(sign, "").lower() in ("1", "true") for sign in SIGNS)


def job_folder(role: str) -> Path | None:
    """The job's folder for a role, a key of `FOLDERS`; None where no variable names one."""
    value = next((os.environ[name] for name in FOLDERS[role] if os.environ.get(name)), None)
    return Path(value).absolute() if value else None
