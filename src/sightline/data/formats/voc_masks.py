"""Pascal VOC's masks: PNG files whose pixels hold the number of a class, or of an object.

0 is the background and 255 is void: pixels that belong to nothing and do not count. ``labelmap.txt``, as
CVAT writes it, says which class has which number and colour; without it the numbers are those of VOC.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sightline.data.primitives import Bitmask, Segmentation
from sightline.errors import SightlineError

CLASS_MASKS = "SegmentationClass"
OBJECT_MASKS = "SegmentationObject"
LABEL_MAP = "labelmap.txt"

VOID = 255

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes that the masks of VOC number, from 1."""

_BACKGROUND = "background"


def palette() -> np.ndarray:
    """The colour of each number: uint8 of shape (256, 3).

    The bits of a number are dealt out to red, green and blue, the low ones to the high bits of a colour
    (VOClabelcolormap.m of the development kit).
    """
    numbers = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        channel, place = bit % 3, 7 - bit // 3
        colours[:, channel] |= ((numbers >> bit & 1) << place).astype(np.uint8)
    return colours


def read_label_map(file: Path) -> tuple[list[str | None], np.ndarray]:
    """The class of each number, None for that of the background, and the colours of the numbers.

    Raises:
        SightlineError: a line that is not ``name:red,green,blue:parts:actions``.
    """
    entries: list[tuple[str | None, list[int]]] = []
    try:
        for line in file.read_text(encoding="utf-8-sig").split("\n"):
            if line.strip() and not line.startswith("#"):
                name, colour, _, _ = line.rsplit(":", 3)
                entries.append((name.strip(), [int(value) for value in colour.split(",")]))
        names = [name for name, _ in entries]
        background = names.index(_BACKGROUND) if _BACKGROUND in names else -1
        entries.insert(
            max(0, background), (None, entries.pop(background)[1] if background >= 0 else [0, 0, 0])
        )
        colours = palette()
        colours[: len(entries)] = [colour for _, colour in entries]
    except (ValueError, OverflowError):
        raise SightlineError(f"{file}: is not UTF-8 lines of 'name:red,green,blue::'.") from None
    return [name for name, _ in entries], colours


def write_label_map(file: Path, class_names: Sequence[str]) -> None:
    """Write the classes with VOC's colours, the background first."""
    lines = ["# label:color_rgb:parts:actions"]
    for name, colour in zip([_BACKGROUND, *class_names], palette().tolist(), strict=False):
        lines.append(f"{name}:{','.join(map(str, colour))}::")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_numbers(file: Path, size: tuple[int, int], colours: np.ndarray) -> np.ndarray:
    """The number of each pixel, uint8 of shape ``size`` (height, width).

    Raises:
        SightlineError: not an image of that size, or of colours that stand for no number.
    """
    try:
        with Image.open(file) as image:
            if image.mode in ("P", "L"):
                numbers = np.array(image)
            else:
                numbers = _numbers_of_colours(np.array(image.convert("RGB")), colours, file)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SightlineError(f"{file}: cannot be read as an image ({error}).") from error
    if numbers.shape != size:
        height, width = numbers.shape
        raise SightlineError(f"{file}: is {width} x {height}, but its image {size[1]} x {size[0]}.")
    return numbers


def write_numbers(file: Path, numbers: np.ndarray) -> None:
    """Write uint8 numbers as PNG with VOC's colours."""
    image = Image.fromarray(numbers)
    image.putpalette(palette().tobytes())
    image.save(file, "PNG")


def class_masks(numbers: np.ndarray, class_names: Sequence[str | None], file: Path) -> list[Segmentation]:
    """The pixels of each class that occurs; ``class_names`` by number, None for the background.

    Raises:
        SightlineError: a number without a class.
    """
    present = [int(n) for n in np.unique(numbers) if n != VOID and class_names[n : n + 1] != [None]]
    return [Segmentation.from_mask(numbers == n, class_name=_class_of(n, class_names, file)) for n in present]


def object_masks(
    numbers: np.ndarray, classes: np.ndarray, class_names: Sequence[str | None], file: Path
) -> list[Bitmask]:
    """The pixels of each object, with the class that most of them have in ``classes``.

    Raises:
        SightlineError: an object whose pixels have no class.
    """
    result: list[Bitmask] = []
    for number in np.unique(numbers):
        if number in (0, VOID):
            continue
        mask = numbers == number
        count = np.bincount(classes[mask], minlength=256)
        count[[n for n in range(256) if n == VOID or class_names[n : n + 1] == [None]]] = 0
        class_name = _class_of(int(count.argmax()), class_names, file) if count.any() else None
        if class_name is None:
            raise SightlineError(f"{file}: object {number} is only background in {CLASS_MASKS}; correct it.")
        result.append(Bitmask.from_mask(mask, class_name=class_name))
    return result


def _class_of(number: int, class_names: Sequence[str | None], file: Path) -> str | None:
    if number >= len(class_names):
        raise SightlineError(
            f"{file}: number {number} has no class; list the classes in a {LABEL_MAP} beside {CLASS_MASKS}."
        )
    return class_names[number]


def _numbers_of_colours(pixels: np.ndarray, colours: np.ndarray, file: Path) -> np.ndarray:
    codes = colours.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    found = pixels.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    order = np.argsort(codes, kind="stable")
    places = order[np.searchsorted(codes[order], found).clip(max=255)]
    if not (codes[places] == found).all():
        raise SightlineError(f"{file}: has colours that stand for no class; list them in a {LABEL_MAP}.")
    return places.astype(np.uint8)
