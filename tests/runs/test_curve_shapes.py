import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.runs.curve_shapes import Curve, averaged, smoothed, thinned
from sightline.runs.sparklines import sparkline


def curve(y: list[float]) -> Curve:
    return Curve(np.arange(len(y), dtype=np.float64), np.array(y, dtype=np.float64))


VALUES = st.lists(
    st.one_of(st.floats(-1e9, 1e9), st.sampled_from([math.nan, math.inf, -math.inf])), min_size=2
)


@given(VALUES, st.integers(1, 5))
def test_thinning_keeps_ends_peaks_and_what_is_not_finite(y: list[float], bins: int) -> None:
    whole, thin = curve(y), thinned(curve(y), bins)
    assert len(thin.x) <= max(len(y) if len(y) <= 4 * bins else 0, 10 * bins)
    assert (thin.x[0], thin.x[-1]) == (whole.x[0], whole.x[-1])
    assert np.all(np.diff(thin.x) > 0)
    assert np.array_equal(thin.y, whole.y[thin.x.astype(int)], equal_nan=True)
    finite = whole.y[np.isfinite(whole.y)]
    if len(finite):
        kept = thin.y[np.isfinite(thin.y)]
        assert (kept.min(), kept.max()) == (finite.min(), finite.max())
    for which in (np.isnan, np.isposinf, np.isneginf):
        assert which(thin.y).any() == which(whole.y).any()


def test_one_spike_among_many_points_stays() -> None:
    y = np.zeros(100_000)
    y[77_777] = 5.0
    thin = thinned(Curve(np.arange(100_000, dtype=np.float64), y))
    assert thin.y.max() == 5.0
    assert len(thin.x) <= 2000


def test_means_pass_over_what_is_not_finite() -> None:
    result = averaged(curve([1, 3, math.nan, math.inf, 5, math.nan, 7, 9]), bins=1)
    assert result.y.tolist() == [5.0]
    assert averaged(curve([math.nan] * 8), bins=1).y.tolist() == pytest.approx([math.nan], nan_ok=True)


def test_smoothing() -> None:
    assert smoothed(np.array([4.0, 4.0, 4.0]), 0.9) == pytest.approx([4.0, 4.0, 4.0])
    result = smoothed(np.array([0.0, math.nan, 1.0]), 0.5)
    assert result == pytest.approx([0.0, math.nan, 2 / 3], nan_ok=True)


def test_a_curve_as_text() -> None:
    assert sparkline(curve([0, 1, 2, math.nan]), 0, 2) == "▁▅█!"
    assert sparkline(curve([3, 3]), 3, 3) == "▅▅"
    assert sparkline(curve([]), 0, 0) == ""
    assert sparkline(curve(list(range(1000))), 0, 999, width=8) == "▁▂▃▄▅▆▇█"
