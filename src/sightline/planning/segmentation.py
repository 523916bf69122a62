"""Rules for the class of each pixel."""

from collections.abc import Iterator

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

_RARE = 0.02  # share of the pixels below which a class is rare
_LOSSES = "sightline.losses"


def choices(situation: Situation) -> Iterator[Choice]:
    """What to train with, all but the data."""
    facts = situation.facts
    recipe = measured.SEGMENT_CPU if situation.machine.gpu is None else measured.SEGMENT_GPU
    window = _window(situation, recipe)
    yield from preprocessing(situation, None, None, recipe.stride, "images keep their size")
    yield from _augment(situation, window)
    yield from model(recipe)
    yield from _loss(situation)
    binary = len(facts.classes) == 2
    if binary:
        yield Choice(
            "task.init_args.binary", True, f"two classes: one output says how likely '{facts.classes[1]}' is"
        )
    monitor = "validation/iou" if binary else "validation/mean_iou"
    pixels = pixels_of(window or facts.typical_size)
    yield from training(situation, recipe, pixels, monitor, one_size=facts.alike)


def _window(situation: Situation, recipe: Recipe) -> tuple[int, int] | None:
    """Height and width of windows to learn from; None: images are learned whole."""
    facts = situation.facts
    side = min(measured.WINDOW, multiple_of(float(facts.sizes.max()), recipe.stride))
    if facts.alike and int(facts.sizes.max()) <= measured.LARGEST_WHOLE:
        if situation.affordable(recipe, pixels_of(facts.typical_size)):
            return None
        side = min(side, multiple_of(max(facts.typical_size) / 2, recipe.stride))
    while side > 128 and not situation.affordable(recipe, side * side):
        side -= recipe.stride
    return side, side


def _augment(situation: Situation, window: tuple[int, int] | None) -> Iterator[Choice]:
    facts, key = situation.facts, "task.init_args.augment"
    number = 0
    if window is not None:
        height, width = facts.typical_size
        reason = f"windows of images of about {height} x {width}"
        if pixels_of(facts.typical_size) >= 4 * pixels_of(window):
            tiles = f"sightline dataset apply {facts.where} TILES 'tile size={window[0]}'"
            reason += f"; with tiles an epoch sees all of them: {tiles}"
        yield Choice(
            f"{key}.0",
            {"class_path": "sightline.transforms.RandomWindow", "init_args": {"size": list(window)}},
            reason,
        )
        number = 1
    if facts.from_above:
        yield Choice(
            f"{key}.{number}", {"class_path": "sightline.transforms.D4"}, "from above no direction is special"
        )
        number += 1
    elif may_be_mirrored(facts):
        yield Choice(
            f"{key}.{number}",
            {"class_path": "torchvision.transforms.v2.RandomHorizontalFlip"},
            "mirrored by halves",
        )
        number += 1
    yield Choice(
        f"{key}.{number}", {"class_path": "sightline.transforms.BandJitter"}, "other light, another sensor"
    )


def _loss(situation: Situation) -> Iterator[Choice]:
    facts, key = situation.facts, "task.init_args.loss"
    shares = facts.class_totals / max(1, facts.class_totals.sum())
    occurring = shares[shares > 0]
    rare = len(occurring) > 0 and occurring.min() < _RARE
    first = "Focal" if rare else "CrossEntropy"
    why = (
        f"'{facts.classes[int(shares.argmin())]}' has few pixels; looks at the hard ones"
        if rare
        else "each pixel for itself"
    )
    yield Choice(
        f"{key}.class_path", f"{_LOSSES}.WeightedSum", "these together, which teach different things"
    )
    yield Choice(f"{key}.init_args.losses.0", {"class_path": f"{_LOSSES}.{first}"}, why)
    whole = "each class as a whole, so that rare ones count"
    yield Choice(f"{key}.init_args.losses.1", {"class_path": f"{_LOSSES}.Dice"}, whole)
