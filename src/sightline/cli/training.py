"""One training, and what came of it."""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sightline.cli.follow import metric_value
from sightline.cli.output import print_fields, print_json
from sightline.engine import Experiment, Spec
from sightline.engine.launch import CONSOLE, train, with_console
from sightline.errors import SightlineError
from sightline.runs.listing import find_runs
from sightline.runs.locations import find_locations


@dataclass(frozen=True)
class Training:
    """What is to be trained, and how. ``folder``: the run directory, by default a new one."""

    spec: Spec
    folder: Path | None = None
    resume: bool = False
    weights: Path | None = None
    show: bool = True

    def with_folder(self) -> "Training":
        """The same with its run directory made; of several ranks only the main one says where that is."""
        folder = find_locations(self.spec.name, self.folder).run if is_main_rank() else None
        return replace(self, folder=folder)

    def run(self) -> None:
        """Train. A folder that nothing was written to is removed.

        Raises:
            SightlineError: the training failed or was stopped.
        """
        spec = with_console(self.spec) if self.show else _without_console(self.spec)
        try:
            if self.weights is None:
                train(spec, self.folder, resume=self.resume)
            else:
                self._train_from_weights(spec, self.weights)
        finally:
            if self.folder is not None:
                with suppress(OSError):  # it is not empty
                    self.folder.rmdir()

    def _train_from_weights(self, spec: Spec, weights: Path) -> None:
        if spec.launcher.kind not in ("single", "torchrun"):
            raise SightlineError(
                f"--weights: does not reach the ranks of the launcher '{spec.launcher.kind}'."
            )
        experiment = Experiment(spec, self.folder)
        experiment.load_weights(weights)
        experiment.train()


def is_main_rank() -> bool:
    """Whether this process, which another program may have started as one of several, prints and decides."""
    return os.environ.get("RANK", "0") == "0"


def report(folder: Path, as_json: bool, page: Path | None = None) -> None:
    """Print where a run is, how good the model is that it left, and the ``page`` that says more."""
    from sightline.cli.runs_views import run_json, with_metrics
    from sightline.runs.json_file import read_json

    row = with_metrics(find_runs(folder))[0]
    model = find_locations(None, folder).model
    try:
        kept = read_json(model / "model.json")
    except FileNotFoundError:
        kept = {}
    if as_json:
        model_json = {"folder": str(model), **kept} if kept else None
        print_json(run_json(row) | {"model": model_json, "report": None if page is None else str(page)})
        return
    ended = {name: each.last for name, each in row.metrics.items()}
    tested = {name: value for name, value in ended.items() if name.startswith("test/")}
    numbers = {**kept["metrics"], **tested} if kept.get("metrics") else ended
    print_fields(
        [
            ("run", _relative(folder)),
            ("status", row.run.status),
            (
                "model",
                f"{_relative(model)}: epoch {kept['epoch']}, update {kept['step']:,}" if kept else None,
            ),
            # Those of single classes are in the report, and in `sightline runs show`.
            *((name, metric_value(value)) for name, value in numbers.items() if name.count("/") < 2),
            ("report", None if page is None else _relative(page)),
        ]
    )


def _without_console(spec: Spec) -> Spec:
    kept = [one for one in spec.loggers if one.class_path != CONSOLE]
    return spec.model_copy(update={"loggers": kept})


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
