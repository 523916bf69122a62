"""`RunLogger`: what a training script calls to leave metrics, settings and files behind."""

import atexit
import concurrent.futures.thread  # noqa: F401  polars needs it, and at exit it can no longer be imported
import json
import logging
import os
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self

from sightline.errors import SightlineError
from sightline.runs import surroundings
from sightline.runs.configuration import to_settings
from sightline.runs.deferred import DeferredScalars, on_device
from sightline.runs.json_file import write_json
from sightline.runs.locations import (
    CONFIGURATION_FILE,
    ENVIRONMENT_FILE,
    GIT_DIFF_FILE,
    METRICS_FILE,
    METRICS_TABLE,
    RUN_FILE,
    default_name,
    find_locations,
)
from sightline.runs.media_files import MEDIA_FILE, Draft, MediaFiles
from sightline.runs.media_logger import MediaLogger
from sightline.runs.metrics_file import write_table
from sightline.runs.metrics_writer import MetricKind, MetricsWriter, one_number, whole_step
from sightline.runs.outlet import Outlet
from sightline.runs.position import check_position, last_step
from sightline.runs.rates import Rates
from sightline.runs.record import RunRecord, RunStatus, read_record, write_record
from sightline.runs.records import Configuration, Progress, Rewind
from sightline.runs.reserve import Reserve
from sightline.runs.sinks.sink import RunInfo, Sink

_LOG = logging.getLogger(__name__)

_LONGEST_ERROR = 500  # characters of the exception kept in run.json

KINDS = (
    "scalar",
    "metric",
    "text",
    "histogram",
    "image",
    "images",
    "boxes",
    "masks",
    "confusion_matrix",
    "video",
    "table",
)
"""What can be logged: ``log_<kind>``."""


class RunLogger(MediaLogger):
    """Logs one run into its run directory; the same script runs unchanged on a laptop and as a job.

    Leave a ``with`` block, call `close`, or do nothing: the run then ends with the process, as failed if an
    exception ended it. (A code given to ``sys.exit`` is only seen by a ``with`` block.) Killing the process
    loses no metric that was logged before, other than those still on a GPU and the last 50 ms of
    `log_scalars`; the media and records that wait for the sinks are lost.

    Each entry may have a rate, ``every``: ``"10ba"`` is due at the steps that 10 divides, also in a resumed
    run; ``"5s"``, ``"2m"`` and ``"1h"`` are due at the first call and whenever that time has passed. Values
    may be functions without arguments, which are called only when the entry is due.

    Args:
        name: of the run; by default the script's name.
        folder: the run directory; an existing one is continued. By default a new
            ``.data/experiments/<time>-<name>`` below the current folder. In a job the job's folders are
            used, whatever is given here.
        sinks: what else takes the entries, such as `sightline.runs.sinks.TensorBoard`. They are fed by a
            thread in the background; one that fails is warned about and left out, and the run goes on.
        rates: the rate of the entries of a kind that are logged without one, such as
            ``{"images": "100ba", "histogram": "1m"}``. By default everything is written.

    Raises:
        SightlineError: the run directory cannot be made or written, or a rate is none.
    """

    def __init__(
        self,
        name: str | None = None,
        folder: Path | str | None = None,
        sinks: Sequence[Sink] = (),
        rates: Mapping[str, str] | None = None,
    ) -> None:
        _check_sinks(sinks)
        self._rates = Rates(rates or {}, KINDS)
        self._default_rates = self._rates.defaults
        self.name = name or default_name()
        self._locations = find_locations(self.name, Path(folder) if folder is not None else None)
        self.folder: Path = self._locations.run
        self._pid = os.getpid()
        self._error_before = getattr(sys, "last_value", None)
        self._settings: dict[str, Any] = {}
        # Opened first: it takes the lock by which a reader of run.json sees that this run is alive.
        self._media = MediaFiles(self.folder)
        self._outlet = Outlet(sinks, self._media)
        self._metrics = MetricsWriter(self.folder / METRICS_FILE, self._outlet.put if sinks else None)
        self._deferred = DeferredScalars(self._metrics.write)
        self._reserve = Reserve(self.folder)
        self._record = self._begin()
        self._log_environment()
        self._outlet.start(RunInfo(self.name, self.folder, self._record.starts, dict(self._settings)))
        atexit.register(self._close_at_exit)

    def log_scalar(self, name: str, value: Any, step: int = 0, every: str | None = None) -> None:
        """Log a number that changes along the way, such as a loss.

        ``value`` is anything that holds exactly one number (NaN and infinities too), or a function that
        returns one; ``step`` counts from 0. A tensor on a GPU is not waited for: its line is written by a
        later call, once the number has arrived, and still in the order logged.

        Raises:
            SightlineError: not one number, an empty name, a negative or fractional step, a closed run.
        """
        if (every is None and not self._default_rates) or self._due("scalar", name, step, every):
            # The hot path: a number of this process with none on its way from a GPU.
            if type(value) is float and not self._deferred.waiting:
                self._metrics.write("scalar", name, value, step)
            else:
                self._log_number("scalar", name, value, step)

    def log_scalars(self, values: Mapping[str, Any], step: int = 0) -> None:
        """Log several numbers of a step, by name, each as `log_scalar` does. Cheapest where steps are fast.

        Lines are written every 50 ms at most, as many together cost a fraction; in between they wait for
        such a call, the next `log_scalar` or `log_metric`, `flush` or `close`; killing the process
        loses them.
        """
        for name, value in values.items():
            if not self._default_rates or self._due("scalar", name, step, None):
                self._log_number("scalar", name, value, step, hold=True)

    def log_metric(self, name: str, value: Any, step: int = 0, every: str | None = None) -> None:
        """Log a number that the run is judged by, such as an accuracy. Otherwise as `log_scalar`."""
        if (every is None and not self._default_rates) or self._due("metric", name, step, every):
            self._log_number("metric", name, value, step)

    def log_progress(
        self,
        done: float,
        total: float | None,
        unit: str = "batches",
        epoch: int | None = None,
        samples_per_s: float | None = None,
    ) -> None:
        """Tell the sinks how far the run is, for those that show it: ``done`` of ``total`` (None: unknown).

        Not kept in the run directory.
        """
        if self._outlet.has_sinks:
            self._outlet.put(Progress(done, total, unit, epoch, samples_per_s, time()))

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
        self._outlet.put(Configuration(dict(self._settings)))

    def flush(self) -> None:
        """Return once everything logged so far is written, here and by the sinks."""
        self._deferred.flush()
        self._outlet.flush()

    def position(self) -> dict[str, int]:
        """How long the logs are, in bytes by file, to be kept in a checkpoint for `rewind`.

        Everything logged so far is written first, and on the disk when this returns.
        """
        self.flush()
        return {METRICS_FILE: self._metrics.size(), MEDIA_FILE: self._media.size()}

    def rewind(self, position: Mapping[str, int]) -> None:
        """Cut the logs back to a `position`, so that what was logged after it is not there twice.

        For a run that goes on from a checkpoint. The sinks are told and do what they can.

        Raises:
            SightlineError: the logs are shorter than that, or the position is not one of this run.
        """
        now = self.position()
        check_position(self.folder, position, now)
        if now == position:
            return
        self._metrics.rewind(position[METRICS_FILE])
        self._media.rewind(position[MEDIA_FILE])
        (self.folder / METRICS_TABLE).unlink(missing_ok=True)
        self._outlet.put(Rewind(last_step(self.folder / METRICS_FILE) + 1))

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
        ours = os.getpid() == self._pid
        self._write_waiting()
        if ours:
            self._outlet.close(status)
        self._metrics.close()
        if not ours:
            return
        atexit.unregister(self._close_at_exit)
        self._record = replace(
            self._record,
            status=status,
            ended_at=_now(),
            exit_code=exit_code,
            error=error and error[:_LONGEST_ERROR],
        )
        self._write_end()

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

    def _due(self, kind: str, name: str, step: int, every: str | None) -> bool:
        if every is None:
            every = self._default_rates.get(kind)
            if every is None:
                return True
        if type(step) is not int:
            step = whole_step(name, step, f"log_{kind}")
        return self._rates.due(kind, name, step, every)

    def _log_number(self, kind: MetricKind, name: str, value: Any, step: int, *, hold: bool = False) -> None:
        if type(value) is not float and callable(value):
            value = value()
        if hold or self._deferred.waiting or (type(value) is not float and on_device(value)):
            step = self._metrics.check(kind, name, step)
            if type(value) is not float and not on_device(value):
                value = one_number(name, value)
            (self._deferred.hold if hold else self._deferred.add)(kind, name, value, step, time())
        else:
            self._metrics.write(kind, name, value, step)

    def _submit(self, draft: Draft) -> None:
        if self._metrics.closed:
            raise SightlineError(
                f"log_{draft.kind} '{draft.name}': the run is closed; log before leaving it."
            )
        self._outlet.put_media(draft)

    def _write_waiting(self) -> None:
        try:
            self._deferred.flush()
        except Exception as error:  # the disk is full, or the GPU is gone: the run must still be ended
            _LOG.warning("The last scalars were not written: %s", error)

    def _write_end(self) -> None:
        try:
            write_record(self.folder, self._record)
        except SightlineError:
            self._reserve.release()
            write_record(self.folder, self._record)
        self._reserve.release()
        try:
            write_table(self.folder / METRICS_FILE, self.folder / METRICS_TABLE)
        except SightlineError as error:
            _LOG.warning("%s", error)

    def _log_environment(self) -> None:
        write_json(self.folder / ENVIRONMENT_FILE, surroundings.environment())
        surroundings.write_git_diff(Path.cwd(), self.folder / GIT_DIFF_FILE)

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
            own = isinstance(error, SightlineError)  # whose sentence says it all
            reason = str(error) if own else traceback.format_exception_only(error)[-1].strip()
            self.close("failed", exit_code=error.exit_code if own else 1, error=reason)


def _check_sinks(sinks: Sequence[Sink]) -> None:
    for sink in sinks if isinstance(sinks, Sequence) else [sinks]:
        if isinstance(sink, type) or not all(
            hasattr(sink, method) for method in ("start", "write", "flush", "close")
        ):
            raise SightlineError(f"sinks: {sink!r:.80} is no sink; give objects, such as [TensorBoard()].")
    if not isinstance(sinks, Sequence):
        raise SightlineError(f"sinks: give a list, such as [{type(sinks).__name__}()].")


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
