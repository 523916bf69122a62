"""Rules for classes of whole images."""

from collections.abc import Iterator
from dataclasses import replace

from sightline.planning import measured
from sightline.planning.choices import Choice
from sightline.planning.measured import Recipe
from sightline.planning.shared import (
    Situation,
    may_be_mirrored,
    model,
    multiple_of,
    pixels_of,
    preprocessing,
    training,
)

_IMBALANCED = 5.0
_ALIKE = 0.25  # by how much proportions may differ to be about the same


def choices(situation: Situation) -> Iterator[Choice]:
    """What to train with, all but the data."""
    facts = situation.facts
    fewest, most = facts.labels_per_image
    several = (fewest, most) != (1, 1)
    recipe = _recipe(situation)
    size = _size(situation, recipe)
    small = size is None
    reason = "large enough for most classes, and affordable here"
    yield from preprocessing(situation, size, _fit(situation), 1, reason)
    yield from _augment(situation, size)
    if several:
        recipe = replace(recipe, task_args={})  # which are for one class an image
    yield from model(recipe)
    if several:
        yield Choice("task.init_args.multi_label", True, f"images have {fewest} to {most} classes")
    elif facts.imbalance >= _IMBALANCED:
        yield Choice(
            "task.init_args.class_weights",
            "balanced",
            f"the most frequent class is {facts.imbalance:.0f} times as frequent as the rarest",
        )
    monitor = (
        "validation/map"
        if several
        else "validation/f1"
        if facts.imbalance >= _IMBALANCED
        else "validation/accuracy"
    )
    pixels = pixels_of(facts.typical_size if small else size)
    yield from training(situation, recipe, pixels, monitor, one_size=True)


def _recipe(situation: Situation) -> Recipe:
    facts = situation.facts
    longest = int(facts.sizes.max())
    if facts.alike and longest <= measured.DOTS_SIDE:
        return measured.CLASSIFY_DOTS
    if longest <= measured.SMALL_SIDE or (
        situation.machine.gpu is None and len(facts.training) < measured.FEW_IMAGES
    ):
        return measured.CLASSIFY_SMALL
    return measured.CLASSIFY_LARGE_CPU if situation.machine.gpu is None else measured.CLASSIFY_LARGE_GPU


def _size(situation: Situation, recipe: Recipe) -> tuple[int, int] | None:
    """Height and width for the model; None: the images keep theirs."""
    facts = situation.facts
    if facts.alike and int(facts.sizes.max()) <= measured.SMALL_SIDE:
        return None
    side = min(measured.LARGE_SIDE, multiple_of(max(facts.typical_size), 32))
    while side > 64 and not situation.affordable(recipe, side * side):
        side -= 32
    return side, side


def _fit(situation: Situation) -> str:
    sizes = situation.facts.sizes
    about_square = abs(sizes[:, 0] / sizes[:, 1] - 1) <= _ALIKE
    return "stretch" if bool(about_square.all()) else "crop"


def _augment(situation: Situation, size: tuple[int, int] | None) -> Iterator[Choice]:
    facts, key = situation.facts, "task.init_args.augment"
    mirrored = may_be_mirrored(facts)
    flip = 0.5 if mirrored else 0.0
    flip_reason = "mirrored by halves" if mirrored else "never mirrored: classes are signs or directions"
    if size is None:
        shift = max(1, max(facts.typical_size) // 8)
        if facts.is_rgb:
            yield Choice(
                f"{key}.0",
                {
                    "class_path": "sightline.data.loading.ShiftFlip",
                    "init_args": {"shift": shift, "flip": flip},
                },
                f"small shifts; {flip_reason}; of whole batches, which is fast",
            )
        else:
            yield Choice(
                f"{key}.0",
                {
                    "class_path": "torchvision.transforms.v2.RandomAffine",
                    "init_args": {"degrees": 8, "translate": [0.1, 0.1], "scale": [0.9, 1.1]},
                },
                "turned, shifted and scaled a little",
            )
        return
    yield Choice(
        f"{key}.0",
        {
            "class_path": "torchvision.transforms.v2.RandomResizedCrop",
            "init_args": {"size": list(size), "scale": [0.35, 1.0], "antialias": True},
        },
        "another part of the image each time",
    )
    number = 1
    if facts.from_above:
        yield Choice(
            f"{key}.1", {"class_path": "sightline.transforms.D4"}, "from above no direction is special"
        )
        number = 2
    elif mirrored:
        yield Choice(
            f"{key}.1", {"class_path": "torchvision.transforms.v2.RandomHorizontalFlip"}, flip_reason
        )
        number = 2
    yield Choice(
        f"{key}.{number}", {"class_path": "sightline.transforms.BandJitter"}, "other light, another camera"
    )
