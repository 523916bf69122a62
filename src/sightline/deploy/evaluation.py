"""A file judged as the model was in training: the same images, targets and metrics."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sightline.config import Component, class_path_of
from sightline.deploy.card import ModelCard
from sightline.deploy.predictor import Predictor
from sightline.engine import Experiment, Spec
from sightline.engine.evaluation import evaluate
from sightline.tasks import Task
from sightline.tasks.vision import VisionTask, fittings
from sightline.transforms.fit import fitting_of


class FileTask(Task):
    """A task whose model is a predictor; what else there is to it is left to the task that was learned.

    Args:
        task: says what the images and the targets are.
        predictor: says what the predictions are.
    """

    def __init__(self, task: VisionTask, predictor: Predictor) -> None:
        super().__init__(task.config)
        self._task, self._predictor = task, predictor

    def forward(self, model: nn.Module, batch: Any) -> list[Tensor]:
        """The graph's outputs for the images of the batch."""
        del model
        images = batch[0].cpu().numpy().astype(self._predictor.card.dtype)
        size = self._predictor.card.input.batch or len(images)
        parts = [self._predictor.scores(images[n : n + size]) for n in range(0, len(images), size)]
        return [torch.cat([torch.from_numpy(one) for one in column]) for column in zip(*parts, strict=True)]

    def compute_loss(self, outputs: Any, batch: Any) -> Any:
        """None: a file holds no loss."""

    def compute_predictions(self, outputs: Sequence[Tensor], batch: Any) -> Any:
        """What the task itself would give of the same scores."""
        card = self._predictor.card
        if card.task == "classification":
            return outputs[0]
        if card.task == "segmentation":
            return outputs[0].argmax(1).to(torch.uint8)
        selection = card.selection
        assert selection is not None
        result = []
        scores, boxes = (one.numpy() for one in outputs[:2])
        for number, place in enumerate(fittings(batch[1], len(scores))):
            found = selection.select(scores[number], boxes[number])
            chosen = found.boxes if place is None else fitting_of(place).boxes_back(found.boxes)
            columns = {"boxes": chosen, "scores": found.scores, "labels": found.labels}
            result.append({name: torch.from_numpy(column) for name, column in columns.items()})
        return result

    def targets(self, batch: Any) -> Any:
        """See `Task`."""
        return self._task.targets(batch)


def evaluate_file(
    predictor: Predictor, dataset: str, split: str = "test", *, task: str | None = None
) -> dict[str, float]:
    """The metrics of a model file on a whole split, by names such as ``test/accuracy``.

    Args:
        predictor: of the file.
        dataset: its folder, a recipe, or a name; see `sightline.tasks.source.DatasetConfig`.
        split: of the dataset.
        task: of the dataset; by default that which the model learned, or the only one that fits.

    Raises:
        SightlineError: there is no such dataset or split, or it has other classes than the model.
    """
    experiment = Experiment(_spec(predictor.card, dataset, task, predictor.batch_size))
    learned = experiment.task
    assert isinstance(learned, VisionTask)
    learned.settled()  # refuses other classes
    batches = experiment.loader(split, training=False)
    return judged(learned, predictor, batches, experiment, split)


def judged(
    task: VisionTask, predictor: Predictor, batches: Iterable[Any], experiment: Experiment, part: str
) -> dict[str, float]:
    """The task's metrics of a predictor on ``batches``."""
    shipped = FileTask(task, predictor)
    return evaluate(shipped, nn.Identity(), batches, task.build_metrics(), experiment.ranks, part=part)


def _spec(card: ModelCard, dataset: str, task: str | None, batch_size: int) -> Spec:
    from sightline.tasks import Classification, Detection, Segmentation

    kinds = {"classification": Classification, "detection": Detection, "segmentation": Segmentation}
    data = {"dataset": dataset, "task": task}
    settings: dict[str, Any] = {
        "data": data,
        "classes": card.classes,
        "preprocessing": card.preprocessing.model_dump(mode="json", exclude_unset=True),
    }
    if card.multi_label:
        settings["multi_label"] = True
    component = Component(class_path=class_path_of(kinds[card.task]), init_args=settings)
    return Spec(name=card.name, task=component, loader={"batch_size": batch_size, "workers": 0})  # pyright: ignore[reportArgumentType]
