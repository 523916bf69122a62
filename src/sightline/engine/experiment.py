"""`Experiment`: a spec and what can be done with it."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.config import build, load, to_yaml
from sightline.data import Dataset
from sightline.data.loading import TorchDataset
from sightline.data.loading.nested import each_tensor
from sightline.engine.bundle import pack, unpack
from sightline.engine.checkpoints import (
    FACTS_FILE,
    MODEL_FACTS_FILE,
    SPEC_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    CheckpointFolder,
    write_weights,
)
from sightline.engine.components import (
    SPLITS,
    build_each,
    build_loader,
    build_metrics,
    build_schedule,
    check_components,
)
from sightline.engine.evaluation import evaluate
from sightline.engine.parameters import freeze, parameter_groups, scale_rates
from sightline.engine.ranks import Ranks, bare, join_ranks, set_whole_weights, whole_weights
from sightline.engine.rates import LearningRates
from sightline.engine.seeding import random_state, seed_everything, set_random_state
from sightline.engine.signals import StoppedError
from sightline.engine.silent import SilentLogger
from sightline.engine.spec import Spec
from sightline.engine.trainer import Trainer
from sightline.engine.unused import refuse_unused
from sightline.errors import SightlineError
from sightline.files import temporary_folder, written_whole
from sightline.models.pretrained import read_weights_file
from sightline.runs import RunLogger
from sightline.tasks import Task

_ERRORS_TOLD = 3


class Experiment:
    """An experiment: train it, measure it, predict with it, save and load it.

    Its parts are built when they are first needed, in an order that makes the same spec give the same
    weights: datasets, then (after seeding) the model, the optimizer, the callbacks.

    Args:
        spec: what it is made of.
        folder: the run directory; by default a new one when training begins.

    Raises:
        SightlineError: a part of the spec cannot be built.
    """

    def __init__(self, spec: Spec, folder: Path | str | None = None) -> None:
        self.spec = spec
        self.folder = Path(folder) if folder is not None else None
        self.loaded: Checkpoint | None = None
        """Where the weights were loaded from, with the metrics that were measured with them."""
        self._ranks: Ranks | None = None
        self._model: nn.Module | None = None
        self._task: Task | None = None
        self._weights: dict[str, Tensor] | None = None
        self._drawn: dict[str, Any] | None = None  # the random generators' states after the model was built

    @classmethod
    def from_file(cls, path: Path | str, overrides: Sequence[str] = ()) -> "Experiment":
        """The experiment of a spec file, with overrides such as ``optimizer.lr=1e-3``.

        Raises:
            SightlineError: the file is no spec; the sentence names the line.
        """
        return cls(load(Spec, Path(path), overrides))

    @classmethod
    def load(cls, path: Path | str, *, best: bool = True) -> "Experiment":
        """The experiment, with its weights, of a run directory, a checkpoint or a run's ``model`` folder.

        Or of what `save` wrote, of which only these are taken; `unpack` makes it a run directory again.

        Args:
            best: whether to take a run's best checkpoint, where one was measured, or its last.

        Raises:
            SightlineError: it is none of these, or the run has no checkpoint yet.
        """
        path = Path(path)
        if path.is_file():
            with temporary_folder() as folder:
                experiment = cls.load(unpack(path, folder), best=best)
            experiment.folder = None
            return experiment
        spec = load(Spec, _spec_of(path))
        if (path / FACTS_FILE).exists():
            experiment = cls(spec)
            experiment.loaded = Checkpoint.read(path)
            experiment._weights = experiment.loaded.weights()
        elif (path / WEIGHTS_FILE).exists():
            experiment = cls(spec)
            if (path / MODEL_FACTS_FILE).exists():
                experiment.loaded = Checkpoint.read(path, MODEL_FACTS_FILE)
            experiment._weights = read_weights_file(path / WEIGHTS_FILE)
        else:
            experiment = cls(spec, path)
            experiment.loaded = experiment._chosen(best)
            experiment._weights = experiment.loaded.weights()
        return experiment

    @property
    def ranks(self) -> Ranks:
        """The processes that take part."""
        if self._ranks is None:
            self._ranks = join_ranks(self.spec.trainer.device)
        return self._ranks

    @property
    def task(self) -> Task:
        """The task, built."""
        if self._task is None:
            model = None
            if self.spec.model is not None:
                component = self.spec.model
                model = self._from_seed(lambda: build(component, where="model"))
            task = build(self.spec.task, where="task", **({} if model is None else {"model": model}))
            if not isinstance(task, Task):
                raise SightlineError(f"task: {self.spec.task.class_path} is no sightline.tasks.Task.")
            self._task = task
        return self._task

    @property
    def model(self) -> nn.Module:
        """The model with its weights, on the device."""
        if self._model is None:
            task = self.task
            # One of the spec's was drawn from the seed already.
            model = self._from_seed(task.build_model) if self.spec.model is None else task.build_model()
            if self._weights is not None:
                set_whole_weights(model, self._weights)
            self._model = model.to(self.ranks.device)
        return self._model

    def _from_seed(self, make: Callable[[], nn.Module]) -> nn.Module:
        """The model that ``make`` draws from the seed; training then goes on drawing where it ended."""
        seed_everything(self.spec.seed)
        model = make()
        self._drawn = random_state(self.ranks.device)
        return model

    def train(self, *, resume: bool = False) -> dict[str, float]:
        """Train, from the beginning or from the run's latest checkpoint; return the metrics of the best one.

        The run directory holds what came of it: ``model/`` the weights that are best by
        ``trainer.monitor``, with the spec.

        Raises:
            SightlineError: see `Trainer.fit`.
        """
        self.check()  # before there is a run directory
        self.settle()
        ranks = self.ranks
        if ranks.is_main:
            logger = RunLogger(
                self.spec.name, self.folder, sinks=build_each(self.spec.loggers, where="loggers")
            )
            folder, checkpoints = logger.folder, logger.path_model_checkpoints()
        else:
            logger, folder = SilentLogger(), None
            checkpoints = None
        self.folder, checkpoints = ranks.from_main((folder, checkpoints))
        with logger:
            try:
                with ranks.failing_together():
                    return self._train(logger, checkpoints, resume)
            except StoppedError as stop:
                if isinstance(logger, RunLogger):
                    logger.close("interrupted", exit_code=stop.exit_code, error=str(stop))
                raise

    def eval(
        self, split: str = "test", *, observe: Callable[[Any, Any], None] | None = None
    ) -> dict[str, float]:
        """The loss and the metrics of the model on a whole split, by names such as ``test/loss``.

        ``observe`` is called with the outputs and the batch of each, in the order of the split.
        """
        loader = self.loader(split, training=False)
        metrics = build_metrics(self.spec, self.task, self.ranks.device)
        return evaluate(self.task, self.model, loader, metrics, self.ranks, part=split, observe=observe)

    def predict(self, data: Any = "test") -> Iterator[Any]:
        """The predictions for each batch of a split, or of the batches that are given."""
        model = self.model
        model.eval()
        batches = self.loader(data, training=False) if isinstance(data, str) else data
        for batch in batches:
            batch = each_tensor(batch, lambda tensor: tensor.to(self.ranks.device, non_blocking=True))
            with torch.inference_mode():
                predictions = self.task.compute_predictions(self.task.forward(model, batch), batch)
            yield predictions

    def save_weights(self, path: Path | str) -> None:
        """Write the model's weights as safetensors, under the names of its own ``state_dict``."""
        weights = whole_weights(self.model)
        with written_whole(Path(path)) as staging:
            write_weights(staging, weights)

    def load_weights(self, path: Path | str) -> None:
        """Take the model's weights from a file of safetensors, or of torch's, of which no code is run.

        Raises:
            SightlineError: the file is missing or broken, or has other weights than the model.
        """
        self._weights = read_weights_file(Path(path))
        if self._model is not None:
            set_whole_weights(self._model, self._weights)

    def save(self, path: Path | str) -> None:
        """Write the whole experiment into one zip file: spec, metrics, checkpoints, state and versions.

        Raises:
            SightlineError: it has no run yet.
        """
        if self.folder is None:
            raise SightlineError(f"{path}: there is nothing to save yet; train first.")
        pack(self.folder, Path(path))

    def dataset(self, split: str) -> Any:
        """The dataset of a split, or None.

        Raises:
            SightlineError: there is no such split.
        """
        if split not in SPLITS:
            raise SightlineError(f"there is no split '{split}'; there are {', '.join(SPLITS)}.")
        component = getattr(self.spec.data, split)
        found = (
            self.task.build_dataset(split) if component is None else build(component, where=f"data.{split}")
        )
        return TorchDataset(found) if isinstance(found, Dataset) else found

    def loader(self, split: str, *, training: bool, dataset: Any = None) -> Any:
        """Batches of a split: shuffled and augmented for training, each item once otherwise.

        Raises:
            SightlineError: the spec and the task have no dataset for it.
        """
        dataset = self.dataset(split) if dataset is None else dataset
        if dataset is None:
            raise SightlineError(
                f"data.{split}: there is no dataset; give one in the spec, or by the task's build_dataset."
            )
        return build_loader(self.spec, dataset, self.ranks, training=training)

    def trainer(
        self, logger: RunLogger | SilentLogger | None = None, checkpoints: Path | None = None
    ) -> Trainer:
        """All parts of a training, put together; it saves to ``checkpoints``."""
        spec, ranks = self.spec, self.ranks
        if spec.trainer.deterministic:
            torch.use_deterministic_algorithms(True)
        loader = self.loader("train", training=True)
        validation = None
        if (held_out := self.dataset("validation")) is not None and spec.trainer.validate_every is not None:
            validation = self.loader("validation", training=False, dataset=held_out)
        refuse_unused(spec, self.task, validates=validation is not None)
        model = self.model
        if spec.trainer.channels_last:
            model = model.to(memory_format=torch.channels_last)
        if spec.trainer.freeze:
            freeze(model, spec.trainer.freeze)
        model = ranks.place(model, spec.trainer.strategy)
        if spec.trainer.compile:
            model = torch.compile(model)
        assert isinstance(model, nn.Module)
        groups = parameter_groups(bare(model), spec.trainer.layer_decay)
        optimizer = build(spec.optimizer, groups, where="optimizer")
        scale_rates(optimizer)
        return Trainer(
            self.task,
            model,
            optimizer,
            loader,
            spec.trainer,
            rates=LearningRates(optimizer, build_schedule(spec, optimizer)),
            validation=validation,
            metrics=build_metrics(spec, self.task, ranks.device),
            callbacks=build_each(spec.callbacks, where="callbacks"),
            logger=logger,
            ranks=ranks,
            folder=self.folder,
            checkpoints=None if checkpoints is None else self._checkpoints(checkpoints),
            spec=to_yaml(spec),
        )

    def check(self) -> None:
        """See `check_components`."""
        check_components(self.spec)

    def settle(self) -> None:
        """Write into the spec what the data decides, so that what the run keeps stands without the data.

        Raises:
            SightlineError: the spec says otherwise than the data.
        """
        settled = self.task.settled()
        if settled != self.task.config:
            arguments = settled.model_dump(mode="json", exclude_unset=True)
            task = self.spec.task.model_copy(update={"init_args": arguments})
            self.spec = self.spec.model_copy(update={"task": task})

    def _train(self, logger: RunLogger | SilentLogger, checkpoints: Path, resume: bool) -> dict[str, float]:
        newest = self._checkpoints(checkpoints).latest()
        if newest is not None and not resume:
            raise SightlineError(
                f"{self.folder}: holds a training already; resume it, or choose another folder."
            )
        trainer = self.trainer(logger, checkpoints)
        if self.ranks.size > 1:  # ranks draw dropout and the like each for themselves
            seed_everything(self.spec.seed + 1 + self.ranks.rank)
        elif self._drawn is not None:  # as after the model, whatever datasets and callbacks drew since
            set_random_state(self._drawn, self.ranks.device)
        if resume:
            if newest is None:
                raise SightlineError(f"{self.folder}: has no checkpoint to resume from; train it anew.")
            trainer.snapshots.restore(newest)
        elif isinstance(logger, RunLogger) and (logger.folder / SPEC_FILE).exists():
            logger.rewind(dict.fromkeys(logger.position(), 0))  # it was cut off before its first checkpoint
        if isinstance(logger, RunLogger):
            (logger.folder / SPEC_FILE).write_text(to_yaml(self.spec), encoding="utf-8")
            logger.log_configuration(self.spec)
        try:
            trainer.fit()
        except SystemExit as end:  # would be taken for a success
            raise SightlineError(
                f"the training was left by sys.exit({end.code!r}) in its own code; raise an error there, or "
                "give it a shorter trainer.max_duration."
            ) from end
        finally:
            _tell_errors(trainer)
        chosen = self._checkpoints(checkpoints)
        best = chosen.best() or chosen.latest()
        if best is None:
            return trainer.last_metrics
        if isinstance(logger, RunLogger):
            best.write_model(logger.path_model())
        return best.metrics | (self._test(logger, best) if self.spec.trainer.test_at_end else {})

    def _test(self, logger: RunLogger | SilentLogger, best: Checkpoint) -> dict[str, float]:
        set_whole_weights(self.model, best.weights())
        metrics = self.eval("test")
        for name, value in metrics.items():
            logger.log_metric(name, value, best.step)
        return metrics

    def _chosen(self, best: bool) -> Checkpoint:
        assert self.folder is not None
        folder = self._checkpoints(self.folder / "checkpoints")
        found = (folder.best() if best else None) or folder.latest()
        if found is None:
            raise SightlineError(f"{self.folder}: has no checkpoint yet; train it first.")
        return found

    def _checkpoints(self, folder: Path) -> CheckpointFolder:
        config = self.spec.trainer
        return CheckpointFolder(
            folder,
            keep_last=config.keep_last,
            keep_best=config.keep_best,
            monitor=config.monitor,
            mode=config.mode,
        )


def _tell_errors(trainer: Trainer) -> None:
    """Say which items could not be read, where that was within the budget."""
    left_out = getattr(trainer.loader, "errors", [])
    if left_out:
        summary = "; ".join(one.message for one in left_out[:_ERRORS_TOLD])
        text = f"{len(left_out)} item(s) of the training data could not be read: {summary}"
        trainer.logger.log_text("train/data_errors", text, trainer.progress.step)
        logging.getLogger("sightline.engine").warning(text)


def _spec_of(folder: Path) -> Path:
    for place in (folder / SPEC_FILE, folder / "model" / SPEC_FILE):
        if place.exists():
            return place
    raise SightlineError(f"{folder}: is no run, checkpoint or saved experiment (it has no {SPEC_FILE}).")
