"""What a sweep tries."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.engine.sweep import Axis, Tpe, grid, random_picks
from sightline.errors import SightlineError


def test_values_and_ranges() -> None:
    assert Axis.parse("a.b=1e-3, [1,2],'x,y',{a: 1, b: 2}").values == (
        "1e-3",
        "[1,2]",
        "'x,y'",
        "{a: 1, b: 2}",
    )
    assert Axis.parse("lr=log(1e-4, 1e-2)") == Axis("lr", (), "log", 1e-4, 1e-2)
    for text, reason in (
        ("lr", "write it as"),
        ("=1", "write it as"),
        ("lr=1,,2", "is missing"),
        ("lr=1,1", "there twice"),
        ("lr=log(0,1)", "above 0"),
        ("lr=uniform(2,1)", "lower number to the higher"),
        ("n=int(1,2.5)", "whole numbers"),
        ("n=int(a,b)", "two numbers"),
    ):
        with pytest.raises(SightlineError, match=reason):
            Axis.parse(text)


def test_a_grid_is_every_combination() -> None:
    found = list(grid([Axis.parse("a=1,2"), Axis.parse("b=x,y")]))
    assert found == [("a=1", "b=x"), ("a=1", "b=y"), ("a=2", "b=x"), ("a=2", "b=y")]
    with pytest.raises(SightlineError, match="how many --trials"):
        grid([Axis.parse("a=uniform(0,1)")])


@given(st.integers(0, 1000), st.integers(1, 12))
def test_random_picks(seed: int, count: int) -> None:
    axes = [Axis.parse("a=1,2,3"), Axis.parse("b=x,y")]
    picked = list(random_picks(axes, count, seed))
    assert len(set(picked)) == len(picked) == min(count, 6)
    assert picked == list(random_picks(axes, count, seed))
    ranges = [Axis.parse("lr=log(1e-4,1e-2)"), Axis.parse("n=int(1,3)"), Axis.parse("u=uniform(-1,1)")]
    for rate, number, share in random_picks(ranges, count, seed):
        assert 1e-4 <= float(rate.removeprefix("lr=")) <= 1e-2
        assert number in ("n=1", "n=2", "n=3")
        assert -1 <= float(share.removeprefix("u=")) <= 1


def test_tpe_moves_to_where_it_is_good() -> None:
    pytest.importorskip("optuna")
    search = Tpe([Axis.parse("x=log(1e-6,1)"), Axis.parse("kind=a,b")], 40, "min", seed=1)
    distances = []
    for rate, kind in search:
        distance = abs(math.log10(float(rate.removeprefix("x="))) + 3) + (kind == "kind=b")
        distances.append(distance)
        search.tell(None if len(distances) == 3 else distance)
    assert len(distances) == 40
    assert sum(distances[-10:]) < sum(distances[:10]) / 2
