"""The metric that stands for how good a model is."""

from collections.abc import Mapping

from sightline.deploy.card import Kind, ModelCard

HEADLINES: Mapping[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "map"),
    "detection": ("map",),
    "segmentation": ("iou", "mean_iou"),
}
"""By the kind of task, the first that there is."""


def headline(metrics: Mapping[str, float], kind: Kind) -> str | None:
    """The name, with the split before it where it has one, of the metric that stands for all."""
    for name in HEADLINES[kind]:
        for key in metrics:
            if key == name or key.endswith(f"/{name}"):
                return key
    return None


def headline_of(card: ModelCard) -> tuple[str, float] | None:
    """Short name and value of that metric in a card; None where it has none."""
    found = headline(card.metrics, card.task)
    return None if found is None else (found.rpartition("/")[2], card.metrics[found])
