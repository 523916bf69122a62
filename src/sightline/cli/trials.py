"""Several trainings, one after the other."""

import os
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from sightline.cli.output import note, print_json, print_table
from sightline.cli.training import Training
from sightline.cli.trials_view import Outcome, outcomes_json, outcomes_table
from sightline.config import load
from sightline.engine import Experiment, Spec
from sightline.engine.signals import EXIT_INTERRUPTED, StoppedError
from sightline.engine.sweep import Picks, Search, Tpe
from sightline.errors import SightlineError
from sightline.runs.locations import EXPERIMENTS_FOLDER

_LONGEST_NAME = 80  # characters of a folder
_UNSUITABLE = re.compile(r"[^\w.,=+-]+")


@dataclass
class Trials:
    """Trainings of several specs, of a sweep, or of both; ``new_search`` makes the sweep of a spec."""

    paths: Sequence[Path]
    overrides: Sequence[str]
    new_search: Callable[[Spec], Search] | None
    folder: Path | None = None
    weights: Path | None = None
    show: bool = True
    fail_fast: bool = False

    def run(self, as_json: bool) -> None:
        """Train, then print one table.

        Raises:
            SightlineError: a spec is wrong (before anything is trained), or the whole was stopped.
            typer.Exit: one of them failed, or Ctrl-C.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise SightlineError("where another program starts the ranks, train one spec at a time.")
        plans = [(path, self._search(path)) for path in self.paths]
        self._check(plans)
        parent = self.folder or (_new_folder(self.paths[0].stem) if self.new_search else None)
        done: list[Outcome] = []
        stopped: StoppedError | KeyboardInterrupt | None = None
        try:
            self._train_all(plans, parent, done)
        except (StoppedError, KeyboardInterrupt) as error:
            stopped = error
        if as_json:
            print_json(outcomes_json(done))
        else:
            print_table(*outcomes_table(done), empty="nothing was trained.")
        if parent is not None:
            note(f"the runs are in {parent}")
        if isinstance(stopped, StoppedError):
            raise stopped
        if stopped is not None:
            raise typer.Exit(EXIT_INTERRUPTED)
        if any(outcome.error for outcome in done):
            raise typer.Exit(1)

    def _search(self, path: Path) -> Search:
        spec = load(Spec, path, self.overrides)
        return self.new_search(spec) if self.new_search else Picks([()])

    def _check(self, plans: list[tuple[Path, Search]]) -> None:
        """Check every spec that is known already, so that the last one's mistake does not show at night."""
        for path, search in plans:
            if isinstance(search, Picks):
                for picks in search:
                    Experiment(load(Spec, path, [*self.overrides, *picks])).check()

    def _train_all(self, plans: list[tuple[Path, Search]], parent: Path | None, done: list[Outcome]) -> None:
        count = sum(len(search) for _, search in plans)
        for path, search in plans:
            for picks in search:
                words = [*([path.stem] if len(plans) > 1 else []), *picks]
                note(f"training {len(done) + 1} of {count}: {' '.join(words)}")
                spec = load(Spec, path, [*self.overrides, *picks])
                folder = parent / _folder_name(len(done) + 1, words) if parent else None
                training = Training(spec, folder, weights=self.weights, show=self.show).with_folder()
                outcome = Outcome(spec, training.folder)
                done.append(outcome)
                try:
                    training.run()
                except (StoppedError, KeyboardInterrupt):
                    outcome.error = "stopped"
                    raise
                except SightlineError as error:
                    outcome.error = str(error)
                    note(f"error: {error}")
                except Exception as error:  # of the user's code; the other trainings may still do
                    outcome.error = f"{type(error).__name__}: {error}"
                    note(traceback.format_exc().rstrip())
                value = None if outcome.error else outcome.monitored()
                if value is None and not outcome.error and isinstance(search, Tpe):
                    monitor = spec.trainer.monitor
                    raise SightlineError(
                        f"--search optuna: the run has no '{monitor}' to learn from; set trainer.monitor."
                    )
                search.tell(value)
                if outcome.error and self.fail_fast:
                    return


def _new_folder(name: str) -> Path:
    """A folder for the runs of a sweep; its name does not look like that of a run."""
    base = f"{name}-sweep-{datetime.now():%Y%m%d-%H%M%S}"
    for attempt in range(1, 1000):
        folder = EXPERIMENTS_FOLDER / (base if attempt == 1 else f"{base}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise SightlineError(f"{EXPERIMENTS_FOLDER / base}: exists, and so do its likes; name another --folder.")


def _folder_name(number: int, words: Sequence[str]) -> str:
    """``03-lr=0.001,batch_size=32``."""
    pairs = (word.rpartition("=") for word in words if "=" in word)
    short = ",".join(f"{key.rpartition('.')[2]}={value}" for key, _, value in pairs)
    return f"{number:02d}-{_UNSUITABLE.sub('-', short)}"[:_LONGEST_NAME].rstrip("-.,")
