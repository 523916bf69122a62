"""Rules for finding objects."""

from collections.abc import Iterator

import numpy as np

from sightline.planning import measured
from sightline.planning.choices import Choice
from sightline.planning.shared import (
    Situation,
    may_be_mirrored,
    model,
    multiple_of,
    pixels_of,
    preprocessing,
    training,
)

_SMALL = 10  # percent of the objects that may be smaller than is found well
_MOSAIC_FROM = 100  # images, of which four at random make another one
_ALIKE = 0.1  # by how much proportions may differ from the typical ones to be about the same


def choices(situation: Situation) -> Iterator[Choice]:
    """What to train with, all but the data."""
    facts, recipe = situation.facts, measured.DETECT
    size, reason = _size(situation)
    yield from preprocessing(situation, size, _fit(situation), 1, reason)
    yield from _augment(situation)
    if len(facts.training) >= _MOSAIC_FROM:
        yield Choice(
            "task.init_args.mosaic", measured.MOSAIC, "four images in one: more objects, other surroundings"
        )
    yield from model(recipe)
    yield from training(situation, recipe, pixels_of(size), "validation/ap50", one_size=True)


def _size(situation: Situation) -> tuple[tuple[int, int], str]:
    """Height and width for the model, and why: what small objects need, or what is affordable."""
    facts, stride = situation.facts, measured.DETECT.stride
    least, most = measured.DETECT_SIDES_GPU if situation.machine.gpu else measured.DETECT_SIDES_CPU
    sides = facts.relative_sides
    small = float(np.percentile(sides[sides > 0], _SMALL)) if (sides > 0).any() else 0.1
    wanted = measured.LEAST_OBJECT / small
    longest = max(facts.typical_size)
    least = min(least, multiple_of(longest, stride))
    side = int(np.clip(multiple_of(min(wanted, 1.5 * longest), stride), least, most))
    reason = f"{100 - _SMALL}% of objects then have {small * side:.0f} pixels a side or more"
    while side > least and not situation.affordable(
        measured.DETECT, pixels_of(_in_proportion(situation, side))
    ):
        side -= stride
        reason = (
            f"what the time is enough for; {100 - _SMALL}% of objects have {small * side:.0f} pixels a side"
        )
    return _in_proportion(situation, side), reason


def _in_proportion(situation: Situation, side: int) -> tuple[int, int]:
    """Height and width with the longer one ``side``, in the images' proportions."""
    height, width = situation.facts.typical_size
    scale, stride = side / max(height, width), measured.DETECT.stride
    return multiple_of(height * scale, stride), multiple_of(width * scale, stride)


def _fit(situation: Situation) -> str:
    facts = situation.facts
    height, width = facts.typical_size
    proportions = facts.sizes[:, 0] / facts.sizes[:, 1] / (height / width)
    return "stretch" if bool((abs(proportions - 1) <= _ALIKE).all()) else "letterbox"


def _augment(situation: Situation) -> Iterator[Choice]:
    facts, key = situation.facts, "task.init_args.augment"
    number = 0
    if facts.from_above:
        yield Choice(
            f"{key}.0", {"class_path": "sightline.transforms.D4"}, "from above no direction is special"
        )
        number = 1
    elif may_be_mirrored(facts):
        yield Choice(
            f"{key}.0", {"class_path": "torchvision.transforms.v2.RandomHorizontalFlip"}, "mirrored by halves"
        )
        number = 1
    yield Choice(
        f"{key}.{number}",
        {"class_path": "sightline.transforms.boxes.RandomZoom", "init_args": {"scale": [0.7, 1.4]}},
        "nearer and farther; boxes that are cut off count by what is left",
    )
    yield Choice(
        f"{key}.{number + 1}",
        {"class_path": "sightline.transforms.BandJitter"},
        "other light, another camera",
    )
