import json
from pathlib import Path

from tests.runs.sinks.a_run import left_outside, run_script

SCRIPT = """
import json
import psutil
from sightline.runs import RunLogger
from sightline.runs.sinks import MLflow
from tests.runs.sinks.a_run import log_everything
with RunLogger("demo", folder="run", sinks=[MLflow(experiment="eyes")]) as logger:
    log_everything(logger)
    logger.log_scalar("odd (name)", float("inf"), 1)
    logger.flush()
    assert not psutil.Process().net_connections("inet")
# Left to the end of the process, as a script does that has no `with`.
logger = RunLogger("demo", folder="run", sinks=[MLflow(experiment="eyes")])
logger.log_scalar("train/loss", 0.125, 6)
logger.log_configuration({"lr": 0.2})
logger.flush()

with RunLogger("other", folder="run/other", sinks=[MLflow("sqlite:///run/shared.db")]) as other:
    other.log_text("notes", "x")

from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri="sqlite:///run/mlflow/mlflow.db")
experiment = client.get_experiment_by_name("eyes")
(run,) = client.search_runs([experiment.experiment_id])
artifacts, folders = [], [""]
while folders:
    for item in client.list_artifacts(run.info.run_id, folders.pop() or None):
        (folders if item.is_dir else artifacts).append(item.path)
print(json.dumps({
    "name": run.info.run_name,
    "status": run.info.status,
    "params": run.data.params,
    "loss": [(m.step, str(m.value)) for m in client.get_metric_history(run.info.run_id, "train/loss")],
    "metrics": run.data.metrics,
    "artifacts": sorted(artifacts),
}))
"""


def test_everything_is_in_the_store_and_nothing_elsewhere(tmp_path: Path) -> None:
    found = json.loads(run_script(tmp_path, SCRIPT).splitlines()[-1])
    assert left_outside(tmp_path) == []
    assert (found["name"], found["status"]) == ("demo", "RUNNING")
    assert found["params"] == {"lr": "0.1", "optimizer.name": "adam", "lr.2": "0.2"}
    assert found["loss"][:2] == [[0, "1.0"], [1, "0.5"]]
    assert found["loss"][-2:] == [[5, "nan"], [6, "0.125"]]
    assert found["metrics"]["accuracy"] == 0.75
    assert found["metrics"]["odd _name_"] > 1e300
    assert found["artifacts"] == [
        "media/confusion/3.json",
        "media/confusion/3.png",
        "media/film/3.mp4",
        "media/notes/3.txt",
        "media/picture/3.png",
        "media/table/3.parquet",
        "media/weights/3.json",
    ]
    assert len(list((tmp_path / "cwd/run/artifacts").rglob("0.txt"))) == 1  # beside shared.db
    assert _status(tmp_path / "cwd" / "run" / "shared.db") == "FINISHED"
    assert _status(tmp_path / "cwd" / "run" / "mlflow" / "mlflow.db") == "FINISHED"


def _status(database: Path) -> str:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("select status from runs").fetchone()[0]
