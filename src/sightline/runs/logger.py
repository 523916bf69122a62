"""`RunLogger`: what a training script calls to leave metrics, settings and files behind."""

import atexit
import concurrent.futures.thread  # noqa: F401  polars needs it, and at exit it can no longer be imported
import json
import os
import socket
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sightline.errors import SightlineError
from sightline.runs import surroundings
from sightline.runs.configuration import to_settings
from sightline.runs.json_file import write_json
from sightline.runs.locations import (
    CONFIGURATION_FILE,
    ENVIRONMENT_FILE,
    METRICS_FILE,
    METRICS_TABLE,
    RUN_FILE,
    default_name,
    find_locations,
)
from sightline.runs.metrics_file import write_table
from sightline.runs.metrics_writer import MetricsWriter
from sightline.runs.record import RunRecord, RunStatus, read_record, write_record

_LONGEST_ERROR = 500  # characters of the exception kept in run.json


class RunLogger:
    """Logs one run into its run directory; the same script runs unchanged on a laptop and as a job.

    Leave a ``with`` block, call `close`, or do nothing: the run then ends with the process, as failed if an
    exception ended it. (A code given to ``sys.exit`` is only seen by a ``with`` block.) Killing the process
    loses no metric that was logged before.

    Args:
        name: of the run; by default the script's name.
        folder: the run directory; an existing one is continued. By default a new
            ``.data/experiments/<time>-<name>`` below the current folder. In a job the job's folders are
            used, whatever is given here.

    Raises:
        SightlineError: the run directory cannot be made or written.
    """

    def __init__(self, name: str | None = None, folder: Path | str | None = None) -> None:
        self.name = name or default_name()
        self._locations = find_locations(self.name, Path(folder) if folder is not None else None)
        self.folder: Path = self._locations.run
        self._pid = os.getpid()
        self._error_before = getattr(sys, "last_value", None)
        self._settings: dict[str, Any] = {}
        # Opened first: it takes the lock by which a reader of run.json sees that this run is alive.
        self._metrics = MetricsWriter(self.folder / METRICS_FILE)
        self._record = self._begin()
        self._log_environment()
        atexit.register(self._close_at_exit)

    def log_scalar(self, name: str, value: Any, step: int = 0) -> None:
        """Log a number that changes along the way, such as a loss.

        ``value`` is anything that holds exactly one number (NaN and infinities too); ``step`` counts from 0.

        Raises:
            SightlineError: not one number, an empty name, a negative or fractional step, a closed run.
        """
        self._metrics.write("scalar", name, value, step)

    def log_metric(self, name: str, value: Any, step: int = 0) -> None:
        """Log a number that the run is judged by, such as an accuracy. Otherwise as `log_scalar`."""
        self._metrics.write("metric", name, value, step)

    def log_configuration(self, configuration: Any) -> None:
        """Add the settings in a dict, pydantic model, dataclass or ``argparse.Namespace`` to
        ``configuration.json``. Later calls add to earlier ones and replace settings of the same name.

        Raises:
            SightlineError: another type, or a closed run.
        """
        settings = to_settings(configuration)
        if self._metrics.closed:
            raise SightlineError("log_configuration: the run is closed; log before leaving it.")
        self._settings.update(settings)
        write_json(self.folder / CONFIGURATION_FILE, self._settings)

    def path_model(self) -> Path:
        """The folder, which exists, for the model to keep."""
        return _made(self._locations.model)

    def path_model_checkpoints(self) -> Path:
        """The folder, which exists, for checkpoints along the way."""
        return _made(self._locations.checkpoints)

    def path_artifacts(self) -> Path:
        """The folder, which exists, for other files to keep: figures, predictions, reports."""
        return _made(self._locations.artifacts)

    def close(
        self, status: RunStatus = "succeeded", exit_code: int | None = 0, error: str | None = None
    ) -> None:
        """End the run: write its status, and the metrics as a Parquet table. Later calls do nothing.

        In a forked child this only lets go of the child's file: the run belongs to the process that began it.
        """
        if self._metrics.closed:
            return
        self._metrics.close()
        if os.getpid() != self._pid:
            return
        atexit.unregister(self._close_at_exit)
        self._record = replace(
            self._record,
            status=status,
            ended_at=_now(),
            exit_code=exit_code,
            error=error and error[:_LONGEST_ERROR],
        )
        write_record(self.folder, self._record)
        write_table(self.folder / METRICS_FILE, self.folder / METRICS_TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_with(error)

    def __repr__(self) -> str:
        return f"RunLogger({self.name!r}, folder={str(self.folder)!r})"

    def _begin(self) -> RunRecord:
        record = RunRecord(
            name=self.name,
            status="running",
            started_at=_now(),
            pid=self._pid,
            host=socket.gethostname(),
            command=surroundings.command(),
            git=surroundings.git_state(Path.cwd()),
            versions=surroundings.main_versions(),
        )
        if (self.folder / RUN_FILE).exists():
            earlier = read_record(self.folder)
            record = replace(record, started_at=earlier.started_at, starts=earlier.starts + 1)
            self._settings = _read_settings(self.folder / CONFIGURATION_FILE)
        write_record(self.folder, record)
        return record

    def _log_environment(self) -> None:
        write_json(self.folder / ENVIRONMENT_FILE, surroundings.environment())

    def _close_at_exit(self) -> None:
        # The interpreter leaves the exception that ended the process here; in an interactive session it is
        # merely the last one shown. What sys.exit() was given is not to be seen from here.
        error = getattr(sys, "last_value", None)
        interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive)
        if error is None or error is self._error_before or interactive:
            self.close("succeeded", exit_code=None)
        else:
            self._close_with(error)

    def _close_with(self, error: BaseException | None) -> None:
        if error is None:
            self.close()
        elif isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
            self.close("failed" if code else "succeeded", exit_code=code)
        elif isinstance(error, KeyboardInterrupt):
            self.close("interrupted", exit_code=130, error="KeyboardInterrupt")
        else:
            self.close("failed", exit_code=1, error=traceback.format_exception_only(error)[-1].strip())


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SightlineError(f"The folder {folder} cannot be made ({error.strerror}).") from error
    return folder


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise SightlineError(f"{path}: is not JSON ({error}); remove it to continue the run.") from error
    return settings if isinstance(settings, dict) else {}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
