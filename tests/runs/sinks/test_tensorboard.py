import math
from pathlib import Path
from typing import Any

import pytest

from sightline.runs import RunLogger
from sightline.runs.sinks import TensorBoard
from tests.runs.sinks.a_run import left_outside, log_everything, run_script


def read(run: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "tensors": 0})
    events.Reload()
    return events


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_everything_is_in_the_event_file(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path, sinks=[TensorBoard()]) as logger:
        log_everything(logger)
    events = read(tmp_path)
    loss = events.Scalars("train/loss")
    assert [(event.step, round(event.value, 6)) for event in loss[:3]] == [(0, 1), (1, 0.5), (2, 0.333333)]
    assert math.isnan(loss[5].value)
    assert [(event.step, event.value) for event in events.Scalars("accuracy")] == [(4, 0.75)]
    (picture,) = events.Images("picture")
    assert (picture.step, picture.width, picture.height) == (3, 30, 20)
    assert picture.encoded_image_string == (tmp_path / "media/picture/3.png").read_bytes()
    assert events.Images("film")[0].encoded_image_string.startswith(b"GIF89a")
    assert events.Images("confusion")[0].width > 50
    histogram = events.Histograms("weights")[0].histogram_value
    assert (histogram.min, histogram.max, histogram.num) == (0, 2, 4)
    assert list(histogram.bucket_limit) == [0, 1, 2]
    assert list(histogram.bucket) == [0, 1, 3]

    def text(name: str) -> str:
        return events.Tensors(name)[0].tensor_proto.string_val[0].decode()

    assert text("notes") == "two\nlines"
    assert "| a | 0.5 |" in text("table")
    assert '"name": "adam"' in text("configuration")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_went_back_hides_what_is_logged_anew(tmp_path: Path) -> None:
    logger = RunLogger(folder=tmp_path, sinks=[TensorBoard()])
    logger.log_scalar("loss", 0, 0)
    logger.log_scalar("loss", 1, 1)
    position = logger.position()
    logger.log_scalar("loss", 2, 2)
    logger.log_scalar("loss", 3, 3)
    logger.close()
    with RunLogger(folder=tmp_path, sinks=[TensorBoard()]) as logger:
        logger.rewind(position)
        for step in range(2, 6):
            logger.log_scalar("loss", 10 + step, step)
    # Within one second two files differ by their number alone.
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2
    values = [(event.step, event.value) for event in read(tmp_path).Scalars("loss")]
    assert values == [(0, 0), (1, 1), (2, 12), (3, 13), (4, 14), (5, 15)]


def test_nothing_is_written_elsewhere_and_no_port_opened(tmp_path: Path) -> None:
    run_script(
        tmp_path,
        "import sys, psutil\n"
        "from sightline.runs import RunLogger\nfrom sightline.runs.sinks import TensorBoard\n"
        "from tests.runs.sinks.a_run import log_everything\n"
        "with RunLogger(folder='run', sinks=[TensorBoard()]) as logger:\n"
        "    log_everything(logger)\n    logger.flush()\n"
        "    assert not psutil.Process().net_connections('inet')\n"
        "assert not {'torch', 'tensorflow', 'matplotlib'} & set(sys.modules)",
    )
    assert left_outside(tmp_path) == []
