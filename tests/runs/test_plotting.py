import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.curve_shapes import Curve
from sightline.runs.listing import Run, find_runs
from sightline.runs.plotting import log_scale_helps, plot_runs
from sightline.runs.summaries import Choice


def curve(y: list[float]) -> Curve:
    return Curve(np.arange(len(y), dtype=np.float64), np.array(y, dtype=np.float64))


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    with RunLogger("$x_1 \\frac{$", folder=tmp_path / "runs" / "$\\frac{$") as logger:
        for step in range(50):
            logger.log_scalar("loss", math.exp(-step / 5), step)
            logger.log_scalar("odd\n$\\frac{$ 日本", [1e308, -1e308, math.nan, math.inf][step % 4], step)
            logger.log_scalar("nan", math.nan, step)
            logger.log_scalar("no step", step)
        logger.log_metric("final", math.inf)
    with RunLogger("other", folder=tmp_path / "runs" / "other") as logger:
        logger.log_metric("final", 0.5)
    return find_runs(tmp_path / "runs")


def test_a_png_with_a_panel_for_each_metric(runs: list[Run], tmp_path: Path) -> None:
    drawn, left_out = plot_runs(runs, tmp_path / "a.png")
    assert drawn == ["final", "loss", "nan", "no step", "odd\n$\\frac{$ 日本"]
    assert left_out == []
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert image.width > 1000
    assert plot_runs(runs, tmp_path / "b.png", [Choice.of("l*")], smoothing=0.9)[0] == ["loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "runs"]


def test_the_same_runs_give_the_same_picture(runs: list[Run], tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        plot_runs(runs, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_each_run_has_its_colour(runs: list[Run], tmp_path: Path) -> None:
    plot_runs(runs, tmp_path / "a.png", [Choice.of("final")])
    with Image.open(tmp_path / "a.png") as image:
        seen = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= seen


def test_more_metrics_than_panels_are_named(tmp_path: Path) -> None:
    with RunLogger("a", folder=tmp_path / "run") as logger:
        for number in range(30):
            logger.log_scalar(f"m{number:02d}", 1)
    drawn, left_out = plot_runs(find_runs(tmp_path / "run"), tmp_path / "a.png")
    assert (len(drawn), left_out[0], len(left_out)) == (24, "m24", 6)


def test_nothing_to_draw_is_a_sentence(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"none of 2 runs has a metric 'lose'; there are final, loss"):
        plot_runs(runs, tmp_path / "a.png", [Choice.of("lose")])
    with RunLogger("a", folder=tmp_path / "empty"):
        pass
    with pytest.raises(SightlineError, match="empty has no metric yet"):
        plot_runs(find_runs(tmp_path / "empty"), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_a_logarithmic_axis_where_most_values_lie_low() -> None:
    assert log_scale_helps([curve([math.exp(-step / 5) for step in range(50)])])
    assert not log_scale_helps([curve([1 - math.exp(-step / 5) + 0.01 for step in range(50)])])
    assert not log_scale_helps([curve([math.exp(-step / 5) - 0.1 for step in range(50)])])
    assert not log_scale_helps([curve([math.nan]), curve([])])
