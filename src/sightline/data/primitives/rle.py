"""Compressed COCO run-length encoding of masks: text of column-wise run lengths, off-runs first."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sightline.errors import SightlineError

_MOST_DIGITS = 8  # 45 bits: more pixels than any image has, and far from overflow


def encode_mask(mask: np.ndarray) -> str:
    """The RLE of a two-dimensional mask (height x width, anything but 0 and False is inside)."""
    from pycocotools import mask as coco

    counts = coco.encode(np.asfortranarray(mask != 0, dtype=np.uint8))["counts"]
    return counts if isinstance(counts, str) else counts.decode("ascii")


def decode_mask(rle_string: str, height: int, width: int) -> np.ndarray:
    """The mask, bool of shape (height, width), that an RLE of that size encodes.

    Raises:
        SightlineError: the run lengths do not add up to ``height * width``, or the text is not a
            compressed COCO RLE.
    """
    runs = _runs(rle_string)
    _check_length(int(runs.sum()), height, width)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def decode_windows(
    rle_string: str, height: int, width: int, windows: Iterable[tuple[int, int, int, int]]
) -> Iterator[np.ndarray]:
    """The parts of a mask in ``windows`` (left, top, width, height), bool of shape (height, width) each.

    What of a window is outside the mask is False. Of a large mask only the columns asked for are decoded.

    Raises:
        SightlineError: as `decode_mask`.
    """
    runs = _runs(rle_string)
    _check_length(int(runs.sum()), height, width)
    ends = np.cumsum(runs)
    for left, top, wide, high in windows:
        part = np.zeros((high, wide), dtype=bool)
        first, last = max(left, 0), min(left + wide, width)
        upper, lower = max(top, 0), min(top + high, height)
        if first < last and upper < lower:
            start, stop = first * height, last * height
            # Runs have no length of their own outside of the columns.
            run = int(np.searchsorted(ends, start, side="right"))
            edges = ends[run : int(np.searchsorted(ends, stop)) + 1].clip(start, stop)
            inside = (run + np.arange(len(edges))) % 2 == 1
            pixels = np.repeat(inside, np.diff(edges, prepend=start)).reshape(last - first, height).T
            part[upper - top : lower - top, first - left : last - left] = pixels[upper:lower]
        yield part


def paint_masks(rle_strings: Sequence[str], codes: Sequence[int], height: int, width: int) -> dict[int, str]:
    """What is seen of masks that lie on each other, the last on top: for each code, the RLE of its pixels.

    Works on runs, not on pixels: masks have hundreds of times as many of those.

    Raises:
        SightlineError: as `decode_mask`.
    """
    ends = [np.cumsum(_runs(rle_string)) for rle_string in rle_strings]
    for mask_ends in ends:
        _check_length(int(mask_ends[-1]) if len(mask_ends) else 0, height, width)
    # Between neighbouring edges, of whichever masks, all pixels are alike.
    edges = np.sort(np.concatenate([[0], *ends]))
    edges = edges[np.diff(edges, prepend=-1) > 0]  # in a third of the time of np.unique
    painted = np.full(len(edges) - 1, min(codes) - 1, dtype=np.int64)  # a code that none has
    for mask_ends, code in zip(ends, codes, strict=True):
        places = np.searchsorted(edges, mask_ends)
        inside = np.repeat(np.arange(len(places)) % 2 == 1, np.diff(places, prepend=0))
        painted[inside] = code
    return {code: _encode_runs(painted == code, edges, height, width) for code in sorted(set(codes))}


def _encode_runs(inside: np.ndarray, edges: np.ndarray, height: int, width: int) -> str:
    """The RLE of a mask that is ``inside`` or not between one of the ``edges`` and the next."""
    from pycocotools import mask as coco

    changes = np.flatnonzero(np.diff(inside, prepend=False))  # an RLE begins with what is outside
    counts = np.diff(np.concatenate([[0], edges[changes], edges[-1:]]))
    uncompressed: Any = [{"size": [height, width], "counts": counts}]
    encoded: Any = coco.frPyObjects(uncompressed, height, width)
    return encoded[0]["counts"].decode("ascii")


def rle_length(rle_string: str) -> int:
    """How many pixels an RLE covers: the sum of its runs.

    Raises:
        SightlineError: the text is not a compressed COCO RLE.
    """
    return int(_runs(rle_string).sum())


def rle_area(rle_string: str) -> int:
    """How many pixels are inside.

    Raises:
        SightlineError: the text is not a compressed COCO RLE.
    """
    return int(_runs(rle_string)[1::2].sum())


def _check_length(length: int, height: int, width: int) -> None:
    if length != height * width:
        raise SightlineError(
            f"a bitmask's rle_string covers {length} pixels but its image has {height} x {width}; "
            "encode the mask at the size of the whole image."
        )


def _runs(rle_string: str) -> np.ndarray:
    digits = np.frombuffer(rle_string.encode("utf-8"), dtype=np.uint8).astype(np.int64) - 48
    if not len(digits):
        return digits
    ends = np.flatnonzero(digits & 0x20 == 0)
    if digits.min() < 0 or digits.max() > 0x3F or not len(ends) or ends[-1] != len(digits) - 1:
        raise _not_an_rle(rle_string)
    # A number is little-endian groups of five bits, the sixth bit saying that more follow.
    starts = np.concatenate(([0], ends[:-1] + 1))
    places = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    if places.max() > _MOST_DIGITS:
        raise _not_an_rle(rle_string)
    numbers = np.add.reduceat((digits & 0x1F) << (5 * places), starts)
    negative = digits[ends] & 0x10 != 0
    numbers[negative] -= np.int64(1) << (5 * (places[ends][negative] + 1))
    # From the fourth run on, a number is the difference to the run two before.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    if numbers.min() < 0:
        raise _not_an_rle(rle_string)
    return numbers


def _not_an_rle(rle_string: str) -> SightlineError:
    return SightlineError(f"'{rle_string[:20]}' is not a compressed COCO RLE; encode the mask again.")
