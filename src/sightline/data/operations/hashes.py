"""Hashes of images, by which equal and nearly equal ones are found."""

import hashlib
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data.images import read_bands, read_rgb
from sightline.files import sha256_file

BITS = 64

_SIDE, _KEPT = 32, 8  # an image is shrunk to 32 x 32, of whose frequencies the lowest 8 x 8 count
_STRUCTURE = 2.0  # grey levels; an image that varies less has nothing to recognise


def file_hash(path: Path, size: tuple[int, int]) -> int:  # noqa: ARG001 (all hashes take the same)
    """64 bits of the SHA-256 of the file."""
    return int(sha256_file(path)[:16], 16)


def pixel_hash(path: Path, size: tuple[int, int]) -> int:
    """64 bits of the SHA-256 of the decoded pixels, their shape and type; ``size`` is (height, width)."""
    pixels = np.ascontiguousarray(read_bands(path, size=size))
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode())
    digest.update(pixels.data)
    return int(digest.hexdigest()[:16], 16)


def perceptual_hash(path: Path, size: tuple[int, int]) -> int | None:
    """64 bits that change little when an image is scaled, compressed or brightened; None for an even one.

    A bit says whether a low frequency of the shrunk grey image (its discrete cosine transform) is
    stronger than the median of all: Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions", 2010, as in the ImageHash package, but without its dependence on SciPy and PyWavelets.
    """
    grey = Image.fromarray(read_rgb(path, size)).convert("L")
    small = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    if small.std() < _STRUCTURE:
        return None
    low = _cosines() @ small @ _cosines().T
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


@cache
def _cosines() -> np.ndarray:
    """The first rows of the matrix of the DCT of type II."""
    frequency, place = np.arange(_KEPT)[:, None], np.arange(_SIDE)
    return np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))


def near_pairs(hashes: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of different positions whose hashes differ in at most ``max_distance`` bits.

    Hashes that differ in at most d of 64 bits agree in at least one of d + 1 bands of them, so only those
    that share a band are compared (Norouzi et al., "Fast Search in Hamming Space with Multi-Index
    Hashing", 2012).

    Args:
        hashes: unique, as uint64 (count,).
        max_distance: 0 to 16.

    Returns:
        First position, second position (the larger) and number of bits of each pair, in order.
    """
    count = len(hashes)
    edges = np.linspace(0, BITS, max_distance + 2).round().astype(int)
    found = [np.zeros((0, 3), np.int64)]
    for start, stop in pairwise(edges.tolist()):
        band = (hashes >> np.uint64(start)) & np.uint64((1 << (stop - start)) - 1)
        order = np.argsort(band, kind="stable")
        sorted_band, sorted_hashes = band[order], hashes[order]
        left = np.arange(count)
        for step in range(1, count):
            left = left[left + step < count]
            left = left[sorted_band[left] == sorted_band[left + step]]
            if not len(left):
                break
            distance = np.bitwise_count(sorted_hashes[left] ^ sorted_hashes[left + step])
            near = distance <= max_distance
            if near.any():
                pair = order[left[near]], order[left[near] + step]
                found.append(np.stack([*pair, distance[near]], axis=1).astype(np.int64))
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1], pairs[:, 2]
