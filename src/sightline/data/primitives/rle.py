"""Compressed COCO run-length encoding of masks: text of column-wise run lengths, off-runs first."""

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
    length = int(runs.sum())
    if length != height * width:
        raise SightlineError(
            f"a bitmask's rle_string covers {length} pixels but its image has {height} x {width}; "
            "encode the mask at the size of the whole image."
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T


def rle_length(rle_string: str) -> int:
    """How many pixels an RLE covers: the sum of its runs.

    Raises:
        SightlineError: the text is not a compressed COCO RLE.
    """
    return int(_runs(rle_string).sum())


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
