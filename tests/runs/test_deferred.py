"""Numbers that are written later: those on a GPU, with one that is made of lists, and those held back."""

import os
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger, read_metrics
from sightline.runs.deferred import DeferredScalars, on_device


class OnGpu:
    """A tensor whose number arrives when it is told to."""

    device = SimpleNamespace(type="cuda")

    def __init__(self, value: float, *shape: int) -> None:
        self.number, self.shape, self.arrived, self.waited = value, shape, False, False

    def item(self) -> float:
        raise AssertionError("the training waited for the GPU")

    def ready(self) -> bool:
        return self.arrived

    def value(self) -> float:
        self.waited = not self.arrived
        return self.number


@pytest.fixture
def logger(tmp_path: Path) -> RunLogger:
    logger = RunLogger(folder=tmp_path)
    logger._deferred = DeferredScalars(logger._metrics.write, start_copy=lambda value: value)
    return logger


def written(logger: RunLogger) -> list[tuple[str, Any]]:
    points, _ = read_metrics(logger.folder / "metrics.jsonl")
    return [(point["name"], point["value"]) for point in points]


def test_lines_keep_their_order_and_nothing_is_waited_for(logger: RunLogger) -> None:
    first, second = OnGpu(1.0), OnGpu(3.0)
    logger.log_scalar("a", first, 0)
    logger.log_scalar("b", 2.0, 0)
    logger.log_metric("c", lambda: second, 1)
    logger.log_scalar("d", 4, 1)
    assert written(logger) == []
    second.arrived = True
    logger.log_scalar("e", 5.0, 2)
    assert written(logger) == []
    first.arrived = True
    logger.log_scalar("f", 6.0, 3)
    assert written(logger) == [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5), ("f", 6)]
    assert not first.waited
    logger.log_scalar("g", 7.0, 3)
    assert written(logger)[-1] == ("g", 7)
    times = [point["t"] for point in read_metrics(logger.folder / "metrics.jsonl")[0]]
    assert times == sorted(times)
    logger.close()


@pytest.mark.parametrize("end", ["flush", "position", "close"])
def test_what_is_on_its_way_is_waited_for_at_the_end(logger: RunLogger, end: str) -> None:
    values = [OnGpu(float(number)) for number in range(3)]
    for value in values:
        logger.log_scalar("a", value, 0)
    getattr(logger, end)()
    assert written(logger) == [("a", 0), ("a", 1), ("a", 2)]
    assert all(value.waited for value in values)
    logger.close()


def test_more_than_a_thousand_are_not_kept_waiting(logger: RunLogger) -> None:
    for step in range(1030):
        logger.log_scalar("a", OnGpu(float(step)), step)
    assert len(written(logger)) == 6
    logger.close()
    assert len(written(logger)) == 1030


def test_what_would_be_refused_later_is_refused_at_once(logger: RunLogger) -> None:
    logger.log_scalar("a", OnGpu(1.0), 0)
    with pytest.raises(SightlineError, match=r"'m': the value has shape \(2,\)"):
        logger.log_scalar("m", OnGpu(1.0, 2), 0)
    with pytest.raises(SightlineError, match="'m': the step is negative"):
        logger.log_scalar("m", OnGpu(1.0), -1)
    with pytest.raises(SightlineError, match="the name is empty"):
        logger.log_scalar("", 1.0, 0)
    with pytest.raises(SightlineError, match="'m': the value '1' is of type str"):
        logger.log_scalar("m", "1", 0)
    logger.close()
    with pytest.raises(SightlineError, match="the run is closed"):
        logger.log_scalar("m", OnGpu(1.0), 0)
    assert written(logger) == [("a", 1)]


def test_a_real_gpu() -> None:
    torch = pytest.importorskip("torch")
    from tests.needs import needs_gpu

    needs_gpu()
    found: list[tuple[str, float]] = []
    deferred = DeferredScalars(lambda *scalar: found.append((scalar[1], float(scalar[2]))))
    total = torch.zeros((), device="cuda")
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(100):
            total += 1
            deferred.add("scalar", str(step), total, step, 0.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    deferred.flush()
    assert found == [(str(step), step + 1.0) for step in range(100)]


def test_what_lies_on_the_cpu_is_not_on_a_device() -> None:
    np, torch = pytest.importorskip("numpy"), pytest.importorskip("torch")
    assert not any(map(on_device, (1, 1.0, np.float32(1), np.ones(1), torch.ones(1), None)))
    assert on_device(OnGpu(1.0))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=10_000.0)
    monkeypatch.setattr("sightline.runs.logger.time", lambda: clock.now)
    return clock


def test_many_lines_of_fast_steps_are_written_together(logger: RunLogger, clock: SimpleNamespace) -> None:
    for step in range(4):
        logger.log_scalars({"a": float(step), "b": step}, step)
        assert len(written(logger)) == (1 if step < 3 else 7)
        clock.now += 0.02
    logger.close()
    assert written(logger) == [(name, step) for step in range(4) for name in "ab"]
    points, _ = read_metrics(logger.folder / "metrics.jsonl")
    assert [point["t"] for point in points[::2]] == pytest.approx([10_000.0, 10_000.02, 10_000.04, 10_000.06])


def test_lines_of_slow_steps_are_written_at_once(logger: RunLogger, clock: SimpleNamespace) -> None:
    for step in range(3):
        logger.log_scalars({"a": float(step)}, step)
        assert len(written(logger)) == step + 1
        clock.now += 0.06 if step else -3600  # clocks are set back too


@pytest.mark.parametrize("log", ["scalar", "metric", "scalars"])
def test_what_is_logged_afterwards_does_not_overtake(
    logger: RunLogger, clock: SimpleNamespace, log: str
) -> None:
    logger.log_scalars({"a": 0.0}, 0)
    logger.log_scalars({"a": 1.0, "b": lambda: 1.5}, 1)
    assert written(logger) == [("a", 0)]
    clock.now += 0.06 if log == "scalars" else 0.0
    if log == "scalars":
        logger.log_scalars({"c": 2.0}, 1)
    else:
        getattr(logger, f"log_{log}")("c", 2.0, 1)
    assert written(logger) == [("a", 0), ("a", 1), ("b", 1.5), ("c", 2)]


def test_several_scalars_keep_to_the_rates_and_are_refused_at_once(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path, rates={"scalar": "2ba"}) as logger:
        for step in range(4):
            logger.log_scalars({"a": float(step)}, step)
        with pytest.raises(SightlineError, match="'b': the value 'x' is of type str"):
            logger.log_scalars({"b": "x"}, 4)
    assert written(logger) == [("a", 0), ("a", 2)]
    with pytest.raises(SightlineError, match="the run is closed"):
        logger.log_scalars({"a": 1.0}, 4)


def test_a_forked_child_writes_its_own_lines_only(logger: RunLogger, clock: SimpleNamespace) -> None:
    del clock
    logger.log_scalars({"parent": 0.0}, 0)
    logger.log_scalars({"parent": 1.0}, 1)
    with logger._deferred._lock:  # as if another thread were writing
        child = os.fork()
        if child == 0:
            logger.log_scalars({"child": 0.0}, 0)
            logger.log_scalar("child", 1.0, 1)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    logger.close()
    assert written(logger) == [("parent", 0), ("child", 0), ("child", 1), ("parent", 1)]


def test_threads_lose_no_line_and_write_none_twice(logger: RunLogger) -> None:
    def log(name: str) -> None:
        for step in range(2000):
            logger.log_scalars({name: float(step)}, step)
            if step % 7 == 0:
                logger.log_scalar(f"{name}/seventh", float(step), step)

    threads = [Thread(target=log, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.close()
    lines = written(logger)
    for name in "xyz":
        assert sorted(value for line, value in lines if line == name) == list(range(2000))
        assert [value for line, value in lines if line == f"{name}/seventh"] == list(range(0, 2000, 7))
