"""Reports after training and measuring."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.output import note

NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report of a vision task.")]


def report_after_training(folder: Path) -> Path | None:
    """Report on the model of a finished run; return the page, or None where there is none.

    Whatever goes wrong is told and no more: the training has succeeded.
    """
    try:
        return _report(folder)
    except KeyboardInterrupt:
        reason = "it was stopped"
    except Exception as error:  # a defect here must not make a failure of hours of training
        reason = " ".join(str(error).split()) or type(error).__name__
    note(f"warning: there is no report ({reason}); this writes one: sightline eval {folder}")
    return None


def _report(folder: Path) -> Path | None:
    from sightline.engine import Experiment
    from sightline.reports.of_run import measure, report_run, split_to_report
    from sightline.runs.listing import find_runs

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        note(f"for a report: sightline eval {folder}")
        return None
    if find_runs(folder)[0].status != "succeeded":  # it is queued, say
        return None
    experiment = Experiment.load(folder)
    split = split_to_report(experiment)
    return None if split is None else report_run(experiment, measure(experiment, split))
