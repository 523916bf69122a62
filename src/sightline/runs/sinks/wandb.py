"""Weights & Biases."""

import uuid
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from sightline.errors import SightlineError
from sightline.runs.record import RunStatus
from sightline.runs.records import (
    Configuration,
    ConfusionMatrix,
    Histogram,
    Picture,
    Record,
    Scalar,
    Table,
    Text,
    Video,
)
from sightline.runs.sinks.environment import replace_variables
from sightline.runs.sinks.kept_id import kept_id
from sightline.runs.sinks.sink import RunInfo

_STEP = "step"
_FOLDERS = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")


class WandB:
    """Writes a Weights & Biases run below ``wandb/`` of the run directory.

    Offline unless ``mode`` says otherwise: ``wandb sync <run directory>/wandb/offline-run-*`` sends it later.
    Entries are shown over ``step``. A run that goes on is the same run there; steps logged anew are there
    twice, since what was sent cannot be taken back. Output, code and machine are not recorded again: the
    run directory has them.

    Args:
        project: where the run is listed; by default ``sightline``.
        entity: the user or team that it belongs to.
        tags: shown beside the run.
        mode: ``online`` sends everything along the way, to the account that ``wandb login`` knows.

    Raises:
        SightlineError: wandb is not installed.
    """

    def __init__(
        self,
        project: str = "sightline",
        entity: str | None = None,
        tags: Sequence[str] = (),
        mode: Literal["offline", "online"] = "offline",
    ) -> None:
        if find_spec("wandb") is None:
            raise SightlineError(
                "WandB: wandb is not installed; install it with pip install 'sightline[wandb]'."
            )
        if mode not in ("offline", "online"):
            raise SightlineError(f"WandB: mode is {mode!r}; give 'offline' or 'online'.")
        self._project, self._entity, self._tags, self._mode = project, entity, tuple(tags), mode
        self._run: Any = None
        self._row: dict[str, Any] = {}

    def start(self, run: RunInfo) -> None:
        """Begin the run, or go on with it."""
        folder = run.folder / "wandb"
        folder.mkdir(exist_ok=True)
        # Otherwise its logs, and what it stages, go to the home folder.
        self._variables = replace_variables(dict.fromkeys(_FOLDERS, str(folder)))
        try:
            self._run = self._begin(run, folder)
        except BaseException:
            replace_variables(self._variables)
            raise

    def write(self, record: Record) -> None:
        """Add the record to the row of its step."""
        if isinstance(record, Scalar):
            self._add(record, record.value)
        elif isinstance(record, Text):
            self._add(record, record.text)
        elif isinstance(record, Picture | ConfusionMatrix):
            self._add(record, self._wandb.Image(str(record.file)))
        elif isinstance(record, Video):
            self._add(record, self._wandb.Video(str(record.file), format="mp4"))
        elif isinstance(record, Histogram):
            counts, edges = record.counts.tolist(), record.edges.tolist()
            self._add(record, self._wandb.Histogram(np_histogram=(counts, edges)))
        elif isinstance(record, Table):
            rows = [list(row) for row in record.frame.rows()]
            self._add(record, self._wandb.Table(columns=record.frame.columns, data=rows))
        elif isinstance(record, Configuration):
            self._run.config.update(record.settings, allow_val_change=True)

    def flush(self) -> None:
        """Hand the row at hand to wandb's process."""
        if self._row:
            row, self._row = self._row, {}
            self._run.log(row)

    def close(self, status: RunStatus) -> None:
        """End the run and wandb's process."""
        if self._run is not None:
            self._run.finish(exit_code=0 if status == "succeeded" else 1)
        replace_variables(self._variables)

    def _begin(self, run: RunInfo, folder: Path) -> Any:
        import wandb

        self._wandb: Any = wandb
        # Otherwise it would ask for the key on a terminal, and wait.
        if self._mode == "online" and not self._wandb.login(prompt=False):
            raise SightlineError(
                "WandB: no account is known here; call 'wandb login', or use mode='offline'."
            )
        begun = self._wandb.init(
            project=self._project,
            entity=self._entity,
            tags=self._tags or None,
            name=run.name,
            id=kept_id(folder, lambda: uuid.uuid4().hex[:12]),
            resume="allow",
            dir=str(run.folder),
            mode=self._mode,
            config=run.configuration,
            reinit="create_new",
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                save_code=False,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
            ),
        )
        # Not wandb's own step, below which it takes nothing more.
        begun.define_metric("*", step_metric=_STEP)
        return begun

    def _add(self, record: Any, value: Any) -> None:
        if self._row.get(_STEP) != record.step or record.name in self._row:
            self.flush()
        self._row[_STEP] = record.step
        self._row[record.name] = value
