import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sightline.config import to_yaml
from sightline.deploy.export.sources import fitting_weights
from sightline.deploy.export.sources import trained as opened_source
from sightline.engine import Experiment
from sightline.errors import SightlineError
from tests.deploy.trained import Run


@pytest.fixture
def run(trained: Callable[[str], Run]) -> Run:
    return trained("classification")


def _weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.folder / "model" / "weights.safetensors")


def _equal(experiment: Experiment, weights: dict[str, torch.Tensor]) -> bool:
    state = experiment.model.state_dict()
    return state.keys() == weights.keys() and all(torch.equal(state[name], weights[name]) for name in state)


@pytest.mark.parametrize("part", ["", "model", "checkpoint"])
def test_runs_checkpoints_and_model_folders(run: Run, part: str) -> None:
    folder = run.folder / part
    if part == "checkpoint":
        folder = next((run.folder / "checkpoints").iterdir())
    with opened_source(str(folder)) as experiment:
        assert experiment.loaded is not None
        assert experiment.loaded.metrics["validation/accuracy"] >= 0
        assert _equal(experiment, _weights(run))


def test_a_checkpoint_of_lightning_is_of_the_spec_that_is_given(run: Run, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(to_yaml(run.experiment().spec))
    state = {f"model.{name}": tensor for name, tensor in _weights(run).items()}
    checkpoint = {"epoch": 3, "state_dict": state | {"loss.weight": torch.ones(3)}, "lr_schedulers": []}
    torch.save(checkpoint, tmp_path / "last.ckpt")
    with opened_source(str(tmp_path / "last.ckpt"), spec=spec) as experiment:
        assert experiment.loaded is None
        assert _equal(experiment, _weights(run))
    with (
        pytest.raises(SightlineError, match=r"last\.ckpt: holds weights alone; say with --spec which model"),
        opened_source(str(tmp_path / "last.ckpt")),
    ):
        pass
    with (
        pytest.raises(SightlineError, match="has a spec of its own; leave out --spec"),
        opened_source(str(run.folder), spec=spec),
    ):
        pass


@pytest.mark.filterwarnings("ignore")  # of SQLAlchemy, to MLflow
def test_an_mlflow_artifact(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment_id = client.create_experiment("cells", artifact_location=(tmp_path / "artifacts").as_uri())
    run_id = client.create_run(experiment_id).info.run_id
    client.log_artifacts(run_id, str(run.folder / "model"), "model")
    with opened_source(f"mlflow:runs:/{run_id}/model") as experiment:
        assert _equal(experiment, _weights(run))
        assert experiment.loaded is not None
    with (
        pytest.raises(SightlineError, match=r"mlflow:runs:/nothing/model: cannot be fetched \(.*MLFLOW_TRA"),
        opened_source("mlflow:runs:/nothing/model"),
    ):
        pass


def test_what_a_wandb_artifact_holds_is_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their server is not here; what comes from it is a folder."""
    wandb = pytest.importorskip("wandb")

    class Artifact:
        def __init__(self, name: str) -> None:
            assert name == "lab/mussels/model-nzty80z7:v0"

        def download(self, root: str) -> str:
            shutil.copytree(run.folder / "model", root)
            return root

    monkeypatch.setattr(wandb, "Api", lambda: type("Api", (), {"artifact": staticmethod(Artifact)}))
    with opened_source("wandb:lab/mussels/model-nzty80z7:v0") as experiment:
        assert _equal(experiment, _weights(run))
    with (
        pytest.raises(SightlineError, match="is no artifact; write wandb:entity/project/model-id:v0"),
        opened_source("wandb:mussels"),
    ):
        pass


def test_weights_of_another_model_are_refused() -> None:
    wanted = {"a.weight": torch.ones(2), "b.weight": torch.ones(3)}
    given = {f"module.model.{name}": tensor * 2 for name, tensor in wanted.items()}
    assert fitting_weights(given, wanted, "x").keys() == wanted.keys()
    with pytest.raises(SightlineError, match=r"x: has no 'b\.weight', which the spec's model has"):
        fitting_weights({"model.a.weight": torch.ones(2)}, wanted, "x")
    with pytest.raises(SightlineError, match=r"x: 'b\.weight' is of shape \(4,\), and of \(3,\) in the spe"):
        fitting_weights(wanted | {"b.weight": torch.ones(4)}, wanted, "x")
