"""Colours, line widths and labels shared by the primitives when they draw themselves."""

import colorsys
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]

Plate = tuple[int, int, int, int]
"""Left, top, right and bottom of what a text stands on, in pixels."""

_PADDING = 3  # pixels beside a label's text


@cache
def class_colour(name: str) -> Colour:
    """The colour of a class: the same in every picture, process and machine."""
    code = hashlib.blake2b(name.encode(), digest_size=8, person=b"sightline").digest()
    hue = int.from_bytes(code[:2], "big") / 0x10000
    # Numbered classes, of which there are often two, are a golden section of the circle apart.
    if name.isdecimal() and len(name) < 6:
        hue = int(name) * 0.618034 % 1
    # So that classes of a similar hue differ too.
    saturation, value = 0.6 + 0.4 * code[2] / 0xFF, 0.65 + 0.35 * code[3] / 0xFF
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def line_width(image: Image.Image, nested: bool) -> int:
    """Width in pixels of a line that reads well at the image's size."""
    return 1 if nested else max(2, round(min(image.size) / 240))


def font_size(image: Image.Image) -> int:
    """Height in pixels of text that reads well at the image's size."""
    return max(10, round(min(image.size) / 40))


def line_height(image: Image.Image) -> int:
    """Height in pixels of a label."""
    return font_size(image) + 4


@dataclass(frozen=True)
class _Label:
    left: float
    top: float
    bottom: float
    text: str
    colour: Colour
    name: str


class Labels:
    """What is written on a picture, once all shapes are drawn, so that none covers it.

    A label stands on its shape, or inside or under it where another label is in the way. One that finds
    no room is left out, and if no other of its name does, the legend in the top left corner says what its
    colour means.
    """

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self._font = font(font_size(image))
        self._labels: list[_Label] = []
        self._legend: dict[str, Colour] = {}

    def add(self, corner: tuple[float, float], bottom: float, text: str, name: str, colour: Colour) -> None:
        """Label a shape, from its top left corner (x, y) down to ``bottom``; ``name`` is for the legend."""
        self._labels.append(_Label(*corner, bottom, self._fitted(text), colour, self._fitted(name)))

    def add_to_legend(self, text: str, colour: Colour) -> None:
        """A line for what has no place of its own."""
        self._legend[self._fitted(text)] = colour

    def draw(self) -> None:
        """Write everything; nothing leaves the picture."""
        width, height = self._image.size
        taken = self._legend_plates()
        found: list[tuple[_Label, Plate]] = []
        left_out: list[_Label] = []
        for label in self._distinct():
            plate_width, plate_height = self._plate_size(label.text)
            for top in (label.top - plate_height, label.top, label.bottom, label.bottom - plate_height):
                x = round(max(0, min(label.left, width - plate_width)))
                y = round(max(0, min(top, height - plate_height)))
                plate = (x, y, x + plate_width, y + plate_height)
                if not any(overlap(plate, other) for other in taken):
                    taken.append(plate)
                    found.append((label, plate))
                    break
            else:
                left_out.append(label)
        for label, plate in found:
            self._write(plate, label.text, label.colour)
        written = {label.name for label, _ in found}
        self._legend |= {label.name: label.colour for label in left_out if label.name not in written}
        # The legend may have grown by what found no room, and then lies on top.
        for plate, (text, colour) in zip(self._legend_plates(), self._legend.items(), strict=False):
            self._write(plate, text, colour)

    def _distinct(self) -> list[_Label]:
        """From the top down; of a box and a mask of one object only the label that says more."""
        near, kept = line_height(self._image), list[_Label]()
        for label in sorted(self._labels, key=lambda label: -len(label.text)):
            if not any(
                other.name == label.name
                and abs(other.left - label.left) < near
                and abs(other.top - label.top) < near
                for other in kept
            ):
                kept.append(label)
        return sorted(kept, key=lambda label: (label.top, label.left))

    def _fitted(self, text: str) -> str:
        return elided(text, lambda shown: self._plate_size(shown)[0] <= self._image.width)

    def _legend_plates(self) -> list[Plate]:
        plates, top = [], 0
        for text in self._legend:
            width, height = self._plate_size(text)
            if top + height > self._image.height and plates:
                break
            plates.append((0, top, width, top + height))
            top += height
        return plates

    def _plate_size(self, text: str) -> tuple[int, int]:
        left, _, right, _ = self._font.getbbox(text)
        return round(right - left) + 2 * _PADDING, line_height(self._image)

    def _write(self, plate: Plate, text: str, colour: Colour) -> None:
        canvas = ImageDraw.Draw(self._image)
        left, top, right, bottom = plate
        canvas.rectangle((left, top, right - 1, bottom - 1), fill=colour)
        luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
        ink = (0, 0, 0) if luminance > 140 else (255, 255, 255)
        # All on one base line, whether or not the text has descenders.
        _, highest, _, lowest = self._font.getbbox("Ág")
        y = top + (bottom - top - round(lowest - highest)) // 2 - round(highest)
        canvas.text((left + _PADDING, y), text, fill=ink, font=self._font)


def overlap(one: Plate, other: Plate) -> bool:
    """Whether two rectangles have pixels in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def elided(text: str, fits: Callable[[str], bool]) -> str:
    """``text`` on one line, with "…" in place of as much of its middle as it takes for it to fit.

    The ends stay: long names differ there, by what they begin with or by a number behind.
    """
    text = " ".join(text.split())
    if fits(text):
        return text
    fewest, most = 0, max(len(text) - 1, 0)  # letters that are kept
    while fewest < most:
        kept = (fewest + most + 1) // 2
        if fits(_without_middle(text, kept)):
            fewest = kept
        else:
            most = kept - 1
    return _without_middle(text, fewest)


def _without_middle(text: str, kept: int) -> str:
    return f"{text[: kept - kept // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, as plots have it: with accents, Greek, Cyrillic, Arabic; ``size`` in pixels."""
    # Found without importing matplotlib, which takes long and makes folders in the home folder.
    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    return ImageFont.truetype(
        Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size
    )


def tint(
    image: Image.Image, mask: Image.Image, colour: Colour, opacity: float, edge: float | None = None
) -> None:
    """Blend ``colour`` into ``image`` where the 8-bit ``mask`` of the same size is set.

    ``edge`` is the opacity of the outermost pixels of what is set.
    """
    strength = mask.point([round(value * opacity) for value in range(256)])
    if edge is not None:
        inner = mask.filter(ImageFilter.MinFilter(3))
        rim = ImageChops.subtract(mask, inner)
        strength = ImageChops.lighter(strength, rim.point([round(value * edge) for value in range(256)]))
    image.paste(colour, mask=strength)
