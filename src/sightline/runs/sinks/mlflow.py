"""MLflow."""

import logging
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.runs.record import RunStatus
from sightline.runs.records import Configuration, ConfusionMatrix, Media, Record, Scalar
from sightline.runs.sinks.environment import variables_set
from sightline.runs.sinks.kept_id import kept_id
from sightline.runs.sinks.sink import RunInfo

_BATCH = 1000  # metrics that MLflow takes at once
_LONGEST_VALUE = 6000  # characters of a parameter
_UNSUITABLE = re.compile(r"[^\w\-. :/]")
#: When a run begins, a server that is not there is given up within seconds; later MLflow takes its minutes.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
_ENDINGS: dict[RunStatus, str] = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class MLflow:
    """Writes an MLflow run, by default into an SQLite file below ``mlflow/`` of the run directory.

    Show it with ``mlflow ui --backend-store-uri sqlite:///<run directory>/mlflow/mlflow.db``. Numbers become
    metrics, settings parameters (nested ones as ``optimizer.lr``), and everything else artifacts. MLflow's
    telemetry is off. Making the SQLite file takes some seconds. A run that goes on is the same run there;
    steps logged anew are there twice.

    Args:
        tracking_uri: another place, such as ``http://localhost:5000`` or ``sqlite:////shared/mlflow.db``.
            MLflow's environment variables are not read for this.
        experiment: the name under which runs are grouped.

    Raises:
        SightlineError: MLflow is not installed.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str = "sightline") -> None:
        if find_spec("mlflow") is None:
            raise SightlineError(
                "MLflow: it is not installed; install it with pip install 'sightline[mlflow]'."
            )
        self._uri, self._experiment = tracking_uri, experiment
        self._client: Any = None
        self._metrics: list[Any] = []
        self._parameters: dict[str, str] = {}

    def start(self, run: RunInfo) -> None:
        """Begin the run, or go on with it."""
        # Read when MLflow is imported: it would otherwise call home and write into the home folder.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        self._metric, self._parameter = Metric, Param
        self._folder = run.folder
        folder = run.folder / "mlflow"
        folder.mkdir(exist_ok=True)
        with variables_set(_IMPATIENT):
            self._client = MlflowClient(tracking_uri=self._uri or f"sqlite:///{folder / 'mlflow.db'}")
            self._id = kept_id(folder, lambda: self._begin(run))
            self._client.update_run(self._id, status="RUNNING")
            self._parameters = dict(self._client.get_run(self._id).data.params)
            self._configure(run.configuration)

    def write(self, record: Record) -> None:
        """Take a number, to be sent with others; anything else is sent at once."""
        if isinstance(record, Scalar):
            key = _UNSUITABLE.sub("_", record.name)
            self._metrics.append(self._metric(key, record.value, round(record.time * 1000), record.step))
            if len(self._metrics) >= _BATCH:
                self.flush()
        elif isinstance(record, Configuration):
            self._configure(record.settings)
        elif isinstance(record, Media):
            folder = record.file.parent.relative_to(self._folder).as_posix()
            self._client.log_artifact(self._id, str(record.file), folder)
            if isinstance(record, ConfusionMatrix):
                self._client.log_artifact(self._id, str(record.data), folder)

    def flush(self) -> None:
        """Send the numbers at hand."""
        if self._metrics:
            metrics, self._metrics = self._metrics, []
            self._client.log_batch(self._id, metrics=metrics)

    def close(self, status: RunStatus) -> None:
        """End the run."""
        if self._client is not None:
            self._client.set_terminated(self._id, _ENDINGS.get(status, "FINISHED"))

    def _begin(self, run: RunInfo) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            experiment = found.experiment_id
        else:
            artifacts = _artifacts(self._uri, run.folder / "mlflow")
            experiment = self._client.create_experiment(self._experiment, artifact_location=artifacts)
        return self._client.create_run(experiment, run_name=run.name).info.run_id

    def _configure(self, settings: dict[str, Any]) -> None:
        """MLflow never changes a parameter: one that changes is logged again as ``<name>.2``, and so on."""
        new: dict[str, str] = {}
        for name, value in _flat(settings):
            first = key = _UNSUITABLE.sub("_", name)
            number = 2
            while self._parameters.get(key, value) != value:
                key, number = f"{first}.{number}", number + 1
            if key not in self._parameters:
                new[key] = self._parameters[key] = value
        items = list(new.items())
        for start in range(0, len(items), 100):
            chunk = [self._parameter(key, value) for key, value in items[start : start + 100]]
            self._client.log_batch(self._id, params=chunk)


def _artifacts(uri: str | None, folder: Path) -> str | None:
    """Where artifacts go. Servers know; a database does not, and MLflow would take the current folder."""
    if uri is None:
        return (folder / "artifacts").as_uri()
    if uri.startswith("sqlite:///"):
        return (Path(uri.removeprefix("sqlite:///")).absolute().parent / "artifacts").as_uri()
    return None


def _flat(settings: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(settings, dict) and (settings or not prefix):
        return [pair for key, value in settings.items() for pair in _flat(value, f"{prefix}{key}.")]
    return [(prefix.rstrip("."), str(settings)[:_LONGEST_VALUE])]
