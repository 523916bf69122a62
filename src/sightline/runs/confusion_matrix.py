"""Drawing a confusion matrix, without matplotlib, which is slow to load and writes to the home folder."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sightline.data.primitives.drawing import font as load_font

_PAPER, _INK, _FAINT = (255, 255, 255), (28, 25, 23), (120, 113, 108)
_NONE, _ALL = np.array([247, 251, 255]), np.array([8, 48, 107])  # the ends of ColorBrewer's "Blues"
_MARGIN = 16
_MOST_NAMED = 60  # classes; the names of more cannot be read
_MOST_NUMBERED = 30
_LONGEST_NAME = 24  # characters


def draw_confusion_matrix(matrix: np.ndarray, class_names: Sequence[str], title: str) -> np.ndarray:
    """Counts (classes, classes), rows the truth, coloured by their share of the row; uint8 RGB."""
    classes = len(matrix)
    cell = 36 if classes <= _MOST_NUMBERED else 14 if classes <= _MOST_NAMED else max(1, 840 // classes)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals != 0)
    font = load_font(12 if cell >= 14 else 10)
    names = [_short(name) for name in class_names] if classes <= _MOST_NAMED else []
    room = round(max((font.getlength(name) for name in names), default=0)) + 8
    left, top, side = _MARGIN + 22 + room, _MARGIN + 28, classes * cell
    heading = f"{title}: {np.trace(matrix) / max(1, matrix.sum()):.1%} right"
    big = load_font(16)
    width = max(left + side, _MARGIN + round(big.getlength(heading))) + _MARGIN
    picture = Image.new("RGB", (width, top + side + room + 22 + _MARGIN), _PAPER)
    canvas = ImageDraw.Draw(picture)
    canvas.text((_MARGIN, _MARGIN - 4), heading, _INK, big)

    colours = (_NONE + (shares**0.7)[..., None] * (_ALL - _NONE)).round().astype(np.uint8)
    cells = Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)
    picture.paste(cells, (left, top))
    canvas.rectangle((left - 1, top - 1, left + side, top + side), outline=_FAINT)
    if classes <= _MOST_NUMBERED:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            ink = _PAPER if shares[row, column] > 0.4 else _INK
            place = (left + (column + 0.5) * cell, top + (row + 0.5) * cell)
            canvas.text(place, _count(float(matrix[row, column])), ink, load_font(11), anchor="mm")
    for number, name in enumerate(names):
        middle = (number + 0.5) * cell
        canvas.text((left - 6, top + middle), name, _INK, font, anchor="rm")
        _write_upwards(picture, name, font, (round(left + middle), top + side + 6), _INK, from_top=True)
    canvas.text((left + side / 2, picture.height - _MARGIN), "predicted", _FAINT, font, anchor="ms")
    _write_upwards(picture, "true", font, (_MARGIN + 6, top + side // 2), _FAINT, from_top=False)
    return np.array(picture)


def _write_upwards(
    picture: Image.Image,
    text: str,
    font: ImageFont.FreeTypeFont,
    place: tuple[int, int],
    ink: tuple[int, int, int],
    from_top: bool,
) -> None:
    """Text turned by a quarter, centred on ``place`` across, and along too unless it hangs from there."""
    strip = Image.new("L", (round(font.getlength(text)) + 2, 18), 0)
    ImageDraw.Draw(strip).text((0, 9), text, 255, font, anchor="lm")
    turned = strip.transpose(Image.Transpose.ROTATE_90)
    x, y = place[0] - turned.width // 2, place[1] - (0 if from_top else turned.height // 2)
    picture.paste(ink, (x, y), turned)


def _count(number: float) -> str:
    if number < 1:
        return f"{number:.2f}"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{number:g}"


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
