"""A contact sheet: many samples with their annotations on one picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from sightline.data.look.thumbnails import drawn_samples, thumbnail
from sightline.data.primitives.drawing import elided, font
from sightline.data.sample import Sample
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_MARGIN, _GAP, _CAPTION, _TITLE = 20, 12, 20, 40
_PAPER, _INK, _FAINT, _FRAME = (250, 250, 249), (28, 25, 23), (120, 113, 108), (231, 229, 228)


def contact_sheet(
    dataset: "Dataset",
    path: str | Path,
    n: int = 24,
    columns: int = 6,
    seed: int = 0,
    split: str | None = None,
    side: int = 320,
    progress: bool = True,
) -> Path:
    """Write ``n`` samples, drawn at random, with their annotations as one picture, and return its path.

    Args:
        dataset: what to show.
        path: the picture to write; PNG, JPEG or WebP by its name.
        n: how many samples; all where there are fewer.
        columns: how many beside each other.
        seed: the same samples for the same seed.
        split: only samples of this one.
        side: longest side of each in pixels.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no samples, a number that is out of range, a name of no picture format, or an
            image that cannot be read.
    """
    path = Path(path)
    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    if path.suffix.lower() not in formats:
        raise SightlineError(f"{path}: name the contact sheet .png, .jpg or .webp.")
    if columns < 1 or not 32 <= side <= 2048:
        raise SightlineError(f"columns={columns}, side={side}: give 1 column or more, and 32 to 2048 pixels.")

    def cell(sample: Sample) -> tuple[Image.Image, str]:
        drawn = sample.draw_annotations(thumbnail(sample, side), scale=1)
        return Image.fromarray(drawn), _caption(sample)

    cells = list(drawn_samples(dataset, n, seed, split, cell, progress))
    sheet = draw_sheet(cells, columns, side, _title(dataset, len(cells), split))
    with written_whole(path) as temporary:
        sheet.save(temporary, formats[path.suffix.lower()], quality=90)
    return path


def _title(dataset: "Dataset", shown: int, split: str | None) -> str:
    of_split = f" of split {split}" if split else ""
    return (
        f"{dataset.info.dataset_name} {dataset.info.version}: {shown:,} of {len(dataset):,} samples{of_split}"
    )


def _caption(sample: Sample) -> str:
    return f"{sample.sample_index}  {sample.split}  {Path(sample.file_path or '').name}"


def draw_sheet(cells: list[tuple[Image.Image, str]], columns: int, side: int, title: str) -> Image.Image:
    """Pictures of at most ``side`` pixels a side, row by row, each above its caption."""
    columns = min(columns, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(picture.height for picture, _ in row) for row in rows]
    width = 2 * _MARGIN + columns * side + (columns - 1) * _GAP
    height = 2 * _MARGIN + _TITLE + sum(heights) + len(rows) * (_CAPTION + _GAP) - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    canvas = ImageDraw.Draw(sheet)
    _write(canvas, (_MARGIN, _MARGIN), title, width - 2 * _MARGIN, 20, _INK)
    top = _MARGIN + _TITLE
    for row, row_height in zip(rows, heights, strict=True):
        for column, (picture, caption) in enumerate(row):
            left = _MARGIN + column * (side + _GAP)
            canvas.rectangle((left, top, left + side - 1, top + row_height - 1), fill=_FRAME)
            sheet.paste(
                picture, (left + (side - picture.width) // 2, top + (row_height - picture.height) // 2)
            )
            _write(canvas, (left, top + row_height + 4), caption, side, 12, _FAINT)
        top += row_height + _CAPTION + _GAP
    return sheet


def _write(
    canvas: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    width: int,
    size: int,
    colour: tuple[int, ...],
) -> None:
    """One line, without its middle where it is wider than ``width`` pixels."""
    letters = font(size)
    text = elided(text, lambda shown: canvas.textlength(shown, letters) <= width)
    canvas.text(place, text, fill=colour, font=letters)
