"""One run that logs everything there is, for sinks to be tested with."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from sightline.runs import RunLogger

HOME, TEMPORARY, FOLDER = "home", "tmp", "cwd"


def log_everything(logger: RunLogger) -> None:
    """One entry of each kind, at step 3, and a few numbers."""
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    logger.log_configuration({"lr": 0.1, "optimizer": {"name": "adam"}})
    for step in range(5):
        logger.log_scalar("train/loss", 1 / (step + 1), step)
    logger.log_scalar("train/loss", float("nan"), 5)
    logger.log_metric("accuracy", 0.75, 4)
    logger.log_text("notes", "two\nlines", 3)
    logger.log_histogram("weights", [0.0, 1.0, 1.0, 2.0], 3, bins=2)
    logger.log_image("picture", image, 3)
    logger.log_confusion_matrix("confusion", [[3, 1], [0, 4]], ["cat", "dog"], 3)
    logger.log_video("film", [image, image[::-1]], 10, 3)
    logger.log_table("table", {"name": ["a", "b"], "score": [0.5, 1.0]}, 3)


def run_script(folder: Path, script: str) -> str:
    """Run a script in an empty folder, with an empty home and an empty temporary folder; its output."""
    for name in (HOME, TEMPORARY, FOLDER):
        (folder / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder / FOLDER,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder / HOME),
            "TMPDIR": str(folder / TEMPORARY),
            "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        },
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr, done.stderr
    return done.stdout


def left_outside(folder: Path) -> list[str]:
    """What `run_script` left outside the run directory ``run``."""
    return sorted(
        path.relative_to(folder).as_posix()
        for top in (HOME, TEMPORARY, FOLDER)
        for path in (folder / top).rglob("*")
        if path.relative_to(folder).parts[:2] != (FOLDER, "run")
    )
