"""Finding what somebody names to evaluate or predict with: a run, a checkpoint, a saved model."""

from collections.abc import Sequence
from pathlib import Path

from sightline.config import load_text, to_yaml
from sightline.engine.checkpoints import SPEC_FILE
from sightline.engine.experiment import Experiment
from sightline.engine.spec import Spec
from sightline.errors import SightlineError
from sightline.runs.listing import find_named
from sightline.runs.locations import EXPERIMENTS_FOLDER


def opened(
    name: str, overrides: Sequence[str] = (), *, best: bool = True, runs: Path = EXPERIMENTS_FOLDER
) -> Experiment:
    """The trained experiment that ``name`` stands for, with ``overrides`` of its spec.

    Args:
        name: a run (its path, name, what only its name has in it, or ``last``), a checkpoint's folder, the
            ``model`` folder of a run, or a file that `Experiment.save` wrote.
        best: whether to take a run's best checkpoint, or its last.
        runs: where the runs lie.

    Raises:
        SightlineError: there is no such thing, or no checkpoint in it yet.
    """
    path = Path(name) if Path(name).is_file() else find_folder(name, runs)
    experiment = Experiment.load(path, best=best)
    if overrides:
        experiment.spec = load_text(Spec, to_yaml(experiment.spec), overrides, name="the spec of the run")
    return experiment


def find_folder(name: str, runs: Path = EXPERIMENTS_FOLDER) -> Path:
    """The folder of a run, checkpoint or model that ``name`` stands for.

    Raises:
        SightlineError: there is none, or more than one.
    """
    path = Path(name)
    if (path / SPEC_FILE).is_file():
        return path
    run = find_named([name], runs)[0]
    if not (run.folder / SPEC_FILE).is_file():
        reason = f" ({run.record.error})" if run.record and run.record.error else ""
        raise SightlineError(f"{run.folder}: has no model, as its training did not begin{reason}.")
    return run.folder
