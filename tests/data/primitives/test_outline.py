import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.primitives.outline import rasterise, trace_mask
from sightline.data.primitives.rle import decode_mask


def _parts(mask: np.ndarray) -> int:
    """How many connected parts, by flooding."""
    left, count = {(int(y), int(x)) for y, x in np.argwhere(mask)}, 0
    while left:
        count += 1
        front = [left.pop()]
        while front:
            y, x = front.pop()
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= near
            front += near
    return count


@settings(deadline=None)
@given(st.integers(1, 16), st.integers(1, 16), st.integers(0, 2**32), st.floats(0, 1))
def test_outlines_of_any_mask_fill_to_that_mask(height: int, width: int, seed: int, density: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    outlines = trace_mask(mask)
    times_covered = np.zeros((height, width), dtype=int)
    for text in rasterise(outlines, height, width):
        times_covered += decode_mask(text, height, width)
    assert (times_covered == mask).all()
    assert len(outlines) == _parts(mask)


def test_a_hole_is_joined_by_a_cut_without_width() -> None:
    mask = np.ones((5, 6), dtype=bool)
    mask[2:4, 2:4] = False
    [outline] = trace_mask(mask)
    assert {(0, 0), (6, 0), (6, 5), (0, 5), (2, 2), (4, 2), (4, 4), (2, 4)} <= set(
        map(tuple, outline.tolist())
    )


def test_pixels_that_touch_by_a_corner_are_two_parts() -> None:
    for mask in (np.eye(2), np.eye(2)[::-1]):
        assert [len(outline) for outline in trace_mask(mask)] == [4, 4]


def test_a_pixel_is_inside_if_its_centre_is() -> None:
    triangle = np.array([(0, 0), (8, 0), (0, 8)])
    [text] = rasterise([triangle], 8, 8)
    centres = np.arange(8) + 0.5
    # Centres on the slanted edge itself may fall either way.
    inside = centres[:, None] + centres < 8 - 0.3
    assert (decode_mask(text, 8, 8) & (centres[:, None] + centres != 8)).tolist() == inside.tolist()


def test_too_few_points_hold_nothing_and_overhang_is_cut() -> None:
    line, large = np.array([(0, 0), (3, 3)]), np.array([(-5, -5), (9, -5), (9, 9), (-5, 9)])
    assert [decode_mask(text, 4, 4).sum() for text in rasterise([line, large], 4, 4)] == [0, 16]
    assert rasterise([], 4, 4) == []
    assert trace_mask(np.zeros((3, 3))) == []
