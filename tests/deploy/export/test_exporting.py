import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.data.predictions import ClassMap, ClassScores, Detections, Prediction
from sightline.deploy import open_model, read_card
from sightline.deploy.evaluation import evaluate_file
from sightline.deploy.export import default_name, export_model
from sightline.deploy.files.records import prediction_of
from sightline.engine import Experiment
from sightline.errors import SightlineError
from sightline.tasks.inference import TaskModel
from sightline.tasks.vision import VisionTask
from tests.deploy.trained import Run

KINDS = ["classification", "detection", "segmentation"]

# Nothing of PyTorch can be imported: what tries to, fails.
WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "torchmetrics", "safetensors"):
    sys.modules[name] = None
from sightline.cli.main import main
main(sys.argv[1:])
"""


def _same(one: Prediction, other: Prediction) -> bool:
    if isinstance(one, ClassScores):
        return np.allclose(one.scores, other.scores, atol=1e-4)  # type: ignore[union-attr]
    if isinstance(one, Detections):
        assert isinstance(other, Detections)
        return (
            one.labels.tolist() == other.labels.tolist()
            and np.allclose(one.boxes, other.boxes, atol=1e-2)
            and np.allclose(one.scores, other.scores, atol=1e-4)
        )
    assert isinstance(other, ClassMap)
    return bool((one.classes == other.classes).mean() > 0.999)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_metrics_and_predictions_of_its_run_without_pytorch(
    trained: Callable[[str], Run], tmp_path: Path, kind: str
) -> None:
    run, path = trained(kind), tmp_path / "model.onnx"
    experiment = run.experiment()
    exported = export_model(experiment, path, licence="MIT", samples=4)
    card = exported.card
    assert read_card(path) == card
    assert (card.task, card.licence, card.name) == (kind, "MIT", kind)
    assert card.data is not None
    assert card.data.version == "1.0.0"
    assert card.training is not None
    assert card.training.step == experiment.loaded.step  # type: ignore[union-attr]
    assert card.metrics == experiment.loaded.metrics  # type: ignore[union-attr]
    assert card.check is not None
    assert card.check.images == "real"
    assert card.check.before == pytest.approx(card.check.after, abs=1e-3)

    measured = evaluate_file(open_model(path), str(run.data), "test")
    expected = experiment.eval("test")
    assert measured == pytest.approx({name: expected[name] for name in measured}, abs=1e-3)
    assert set(expected) - set(measured) == {"test/loss"}

    lines = tmp_path / "out.jsonl"
    words = ["predict", str(path), str(run.data), "--split", "test", "-o", str(lines)]
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    task = experiment.task
    assert isinstance(task, VisionTask)
    samples = task.samples("test")
    assert samples is not None
    of_task = TaskModel(task, experiment.model).predict([sample.read_image() for sample in samples])
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    of_file = [prediction_of(record, card.classes) for record in records]
    assert [record["file"] for record in records] == [str(sample.file_path) for sample in samples]
    assert all(_same(one, other) for one, other in zip(of_task, of_file, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_alone_are_a_model_again(trained: Callable[[str], Run], tmp_path: Path, kind: str) -> None:
    run = trained(kind)
    experiment = run.experiment()
    path = tmp_path / "model.safetensors"
    export_model(experiment, path, format="safetensors", samples=2)
    task = experiment.task
    assert isinstance(task, VisionTask)
    samples = task.samples("test")
    assert samples is not None
    images = [sample.read_image() for sample in samples]
    of_file, of_run = open_model(path).predict(images), open_model(run.folder).predict(images)
    assert all(_same(one, other) for one, other in zip(of_run, of_file, strict=True))


def test_without_its_dataset_a_file_is_compared_on_noise(
    trained: Callable[[str], Run], tmp_path: Path
) -> None:
    experiment = trained("classification").experiment()
    gone = experiment.spec.task.init_args | {"data": {"dataset": str(tmp_path / "gone")}}
    spec = experiment.spec.model_copy(
        update={"task": experiment.spec.task.model_copy(update={"init_args": gone})}
    )
    (tmp_path / "gone").mkdir()
    elsewhere = Experiment(spec)
    elsewhere.loaded = experiment.loaded
    exported = export_model(elsewhere, tmp_path / "a.torchscript", format="torchscript")
    assert exported.card.check is not None
    assert (exported.card.check.images, exported.card.check.metric) == ("random", None)
    assert exported.card.data is None
    with pytest.raises(SightlineError, match="int8 takes the ranges of its numbers from real images"):
        export_model(elsewhere, tmp_path / "a.onnx", precision="int8")


def test_a_file_that_is_judged_otherwise_is_not_kept(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.deploy import evaluation

    experiment = trained("classification").experiment()
    turned = evaluation.FileTask.compute_predictions
    monkeypatch.setattr(
        evaluation.FileTask, "compute_predictions", lambda *args: turned(*args).flip(1)
    )  # as if its classes were in another order
    with pytest.raises(SightlineError, match=r"the exported file's accuracy is 0\.\d+ and the model's [01]"):
        export_model(experiment, tmp_path / "a.torchscript", format="torchscript")
    assert list(tmp_path.iterdir()) == []
    exported = export_model(experiment, tmp_path / "a.torchscript", format="torchscript", tolerance=1)
    assert exported.path.exists()


def test_the_name_says_how_good_it_is(trained: Callable[[str], Run]) -> None:
    from sightline.deploy.describing import describe

    card = describe(trained("classification").experiment())
    score = card.metrics["validation/accuracy"]
    assert default_name(card, "onnx") == f"classification_accuracy={score:.4f}.onnx"
    bare = card.model_copy(update={"metrics": {}, "precision": "fp16"})
    assert default_name(bare, "pt2") == "classification_fp16.pt2"


def test_other_classes_are_refused_when_a_file_is_measured(
    trained: Callable[[str], Run], tmp_path: Path
) -> None:
    from tests.tasks.scenes import coloured

    path = tmp_path / "a.torchscript"
    exported = export_model(trained("classification").experiment(), path, format="torchscript", samples=2)
    predictor = open_model(path)
    predictor.card = exported.card.model_copy(update={"classes": ["x", "y", "z"]})
    with pytest.raises(SightlineError, match="classes: task 'image_classification' of the dataset has"):
        evaluate_file(predictor, str(coloured(tmp_path / "data")))


def test_weights_have_a_hash_that_follows_them(trained: Callable[[str], Run]) -> None:
    from sightline.deploy.describing import weights_sha256

    model = trained("classification").experiment().model
    before = weights_sha256(model)
    assert weights_sha256(model) == before
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1
    assert weights_sha256(model) != before
