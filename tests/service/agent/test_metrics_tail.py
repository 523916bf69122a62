import json
import time
from pathlib import Path

from sightline.client.wire import MetricPoint
from sightline.runs import RunLogger
from sightline.service.agent.metrics_tail import MetricsTail


def test_points_are_handed_on_while_the_file_grows(tmp_path: Path) -> None:
    points: list[MetricPoint] = []
    with RunLogger(folder=tmp_path / "run") as logger, MetricsTail(logger.folder, points.append):
        logger.log_scalar("loss", 0.5, step=1)
        deadline = time.monotonic() + 5
        while not points:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        logger.log_metric("accuracy", float("nan"), step=2)
    assert [(p.seq, p.name, p.kind, p.value, p.step) for p in points] == [
        (0, "loss", "scalar", 0.5, 1),
        (1, "accuracy", "metric", None, 2),
    ]


def test_what_is_not_a_metric_is_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    good = {"t": 1.0, "name": "loss", "kind": "scalar", "value": 1, "step": 0}
    bad = [
        {**good, "name": ["loss"]},
        {**good, "kind": "secret"},
        {**good, "value": "text"},
        {**good, "step": 1.5},
        {**good, "t": 1e300},
        {"name": "loss"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in [good, *bad, good]))
    points: list[MetricPoint] = []
    with MetricsTail(tmp_path, points.append) as tail:
        pass
    assert [point.seq for point in points] == [0, 1]
    assert tail.refused == len(bad)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(json.dumps({"t": 1.0, "name": "x", "kind": "scalar", "value": 1, "step": 0}) + "\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").symlink_to(secret)
    points: list[MetricPoint] = []
    with MetricsTail(tmp_path / "run", points.append) as tail:
        pass
    assert points == []
    assert tail.problem


def test_mlflow_metrics_follow_at_the_end(tmp_path: Path) -> None:
    store = tmp_path / "mlruns" / "0" / "run" / "metrics"
    store.mkdir(parents=True)
    (store / "loss").write_text("1700000000000 0.5 3\n")
    points: list[MetricPoint] = []
    with MetricsTail(tmp_path, points.append):
        pass
    assert [(point.name, point.value, point.step) for point in points] == [("loss", 0.5, 3)]
