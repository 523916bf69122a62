"""Which samples are shown."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sightline.reports.findings import worst_and_best

QUALITIES = st.lists(st.floats(-1, 1) | st.just(float("nan")), max_size=12)


@given(QUALITIES, st.integers(1, 6))
def test_the_worst_and_the_best_are_apart_and_in_order(values: list[float], most: int) -> None:
    quality = np.array(values, dtype=np.float64)
    worst, best = worst_and_best(quality, most)
    assert len(worst) <= most
    assert len(best) <= most
    assert not set(worst) & set(best)
    shown = [*worst, *best[::-1]]
    assert list(quality[shown]) == sorted(quality[shown])
    judged = int((~np.isnan(quality)).sum())
    assert len(shown) == min(judged, len(shown))
    assert len(shown) >= min(judged, most)


def test_what_has_no_quality_is_not_shown() -> None:
    assert worst_and_best(np.array([np.nan, np.nan]), 3) == ([], [])
