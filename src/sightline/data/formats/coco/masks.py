"""Many run-length masks at once: checked, compressed, and their bounds and areas."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from sightline.data.formats.coco.parsing import Rle
from sightline.errors import SightlineError

_AT_ONCE = 255


def mask_columns(
    masks: Sequence[Rle], heights: np.ndarray, widths: np.ndarray, where: Callable[[int], str]
) -> pl.DataFrame:
    """Columns ``top, left, height, width, rle_string`` of masks for images of the given sizes.

    ``where(n)`` names the n-th mask in the sentence of an error.

    Raises:
        SightlineError: a mask of another size than its image, or counts that are no RLE of that size.
    """
    from pycocotools import mask as coco

    sizes = np.array([mask.size for mask in masks], dtype=np.int64).reshape(-1, 2)
    wrong = np.flatnonzero((sizes[:, 0] != heights) | (sizes[:, 1] != widths))
    if len(wrong):
        first = wrong[0]
        raise SightlineError(
            f"{where(first)}.size is {list(masks[first].size)}, but its image is {heights[first]} high and "
            f"{widths[first]} wide; correct one of them."
        )
    texts = [_compressed(mask, n, where) for n, mask in enumerate(masks)]
    wrong = np.flatnonzero(~covers(texts, heights * widths))
    if len(wrong):
        first = wrong[0]
        raise SightlineError(
            f"{where(first)}.counts is no run-length encoding of {heights[first]} x {widths[first]} pixels; "
            "encode the mask again."
        )
    rles: Any = [{"size": mask.size, "counts": text} for mask, text in zip(masks, texts, strict=True)]
    boxes = coco.toBbox(rles)
    left, top, width, height = np.asarray(boxes, dtype=np.int64).reshape(-1, 4).T
    return pl.DataFrame(
        {"top": top, "left": left, "height": height, "width": width, "rle_string": texts},
        schema_overrides={"rle_string": pl.String},
    )


def mask_areas(texts: pl.Series, heights: pl.Series, widths: pl.Series) -> pl.Series:
    """The number of pixels inside each compressed mask of an image of the given size."""
    from pycocotools import mask as coco

    rows = zip(texts, heights, widths, strict=True)
    rles: Any = [{"size": [height, width], "counts": text} for text, height, width in rows]
    # pycocotools 2.0.11 counts the masks of one call in a byte.
    areas = [coco.area(rles[start : start + _AT_ONCE]) for start in range(0, len(rles), _AT_ONCE)]
    return pl.Series(np.concatenate([np.zeros(0), *areas]))


def _compressed(mask: Rle, number: int, where: Callable[[int], str]) -> str:
    if isinstance(mask.counts, str):
        return mask.counts
    height, width = mask.size
    if sum(mask.counts) != height * width:
        raise SightlineError(
            f"{where(number)}.counts add up to {sum(mask.counts)}, but its size is {height} x {width}; "
            "encode the mask again."
        )
    from pycocotools import mask as coco

    uncompressed: Any = {"size": [height, width], "counts": mask.counts}
    counts = coco.frPyObjects(uncompressed, height, width)["counts"]
    return counts if isinstance(counts, str) else counts.decode("ascii")


def covers(texts: Sequence[str], pixels: np.ndarray) -> np.ndarray:
    """For each compressed mask, whether its runs are none negative and add up to ``pixels``.

    The encoding: numbers are groups of five bits, lowest first, from the character "0" on, the sixth bit
    saying that more follow; from the fourth on, a number is the difference to the one two before
    (``rleToString`` in https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c).
    """
    plain = np.fromiter((text != "" and text.isascii() for text in texts), dtype=bool, count=len(texts))
    texts = [text if good else "0" for text, good in zip(texts, plain, strict=True)]
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    digits = np.frombuffer("".join(texts).encode(), dtype=np.uint8).astype(np.int64) - 48
    owner_of_digit = np.repeat(np.arange(len(texts)), sizes)
    is_end = digits & 0x20 == 0
    last = np.cumsum(sizes) - 1
    sound = (
        plain & is_end[last] & (np.bincount(owner_of_digit, (digits < 0) | (digits > 0x3F), len(texts)) == 0)
    )
    ends = np.flatnonzero(is_end | np.isin(np.arange(len(digits)), last))
    starts = np.concatenate(([0], ends[:-1] + 1))
    places = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    sound &= np.bincount(owner_of_digit, places > 8, len(texts)) == 0  # 45 bits: more than any image has
    numbers = np.add.reduceat((digits & 0x1F) << (5 * np.minimum(places, 8)), starts)
    negative = digits[ends] & 0x10 != 0
    numbers[negative] -= np.int64(1) << (5 * np.minimum(places[ends][negative] + 1, 9))
    owner = owner_of_digit[ends]
    first = np.searchsorted(owner, np.arange(len(texts)))
    index = np.arange(len(numbers)) - first[owner]
    runs = numbers.copy()
    for parity in (0, 1):
        chain = (index % 2 == parity) & (index > 0)
        sums = np.cumsum(numbers[chain])
        owners = owner[chain]
        begins = np.searchsorted(owners, owners)
        runs[chain] = sums - sums[begins] + numbers[chain][begins]
    sound &= np.bincount(owner, runs < 0, len(texts)) == 0
    return sound & (np.bincount(owner, np.where(sound[owner], runs, 0), len(texts)) == pixels)
