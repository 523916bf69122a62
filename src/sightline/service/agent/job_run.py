"""One attempt at one experiment, from the lease to the last report."""

import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sightline.client import ServiceClient, ServiceError
from sightline.client.wire import (
    Lease,
    LogBatch,
    LogLine,
    LogStream,
    MetricBatch,
    MetricPoint,
    State,
    StateReport,
)
from sightline.errors import SightlineError
from sightline.sandbox import Ending, Job, JobFolders, Limits, Outcome, Sandbox, python_environment
from sightline.service.agent import recipe_build
from sightline.service.agent.artifacts import collect
from sightline.service.agent.caches import Cache
from sightline.service.agent.lease_keeper import LEASE_LOST, LeaseKeeper, grace_s
from sightline.service.agent.metrics_tail import MetricsTail
from sightline.service.agent.outbox import Outbox
from sightline.trainer_package import extract_package, list_names, parse_command

T = TypeVar("T")
_DELIVERY_S = 60.0  # how long an ended job waits for its last lines to arrive
_RETRY_S = 0.5


class LeaseLostError(Exception):
    """The job is not ours any more: stop without another word to the service."""


class JobRun:
    """Runs a leased job in a sandbox and tells the service all that happens.

    ``folder`` is the job's own on this machine; it is gone when `run` returns.
    """

    def __init__(
        self, client: ServiceClient, lease: Lease, sandbox: Sandbox, cache: Cache, folder: Path
    ) -> None:
        self._client = client
        self._lease = lease
        self._sandbox = sandbox
        self._cache = cache
        self._folder = folder
        self._agent_stops = False
        self._stop_job = threading.Event()
        self._keeper = LeaseKeeper(client, lease, self._stop_job)
        self._next_line = 0
        self._numbering = threading.Lock()
        self._logs: Outbox[LogLine] = Outbox(
            lambda lines: client.send_logs(lease, LogBatch(lines=lines)), lambda line: len(line.text)
        )
        self._metrics: Outbox[MetricPoint] = Outbox(
            lambda points: client.send_metrics(lease, MetricBatch(points=points)),
            lambda point: len(point.name),
        )

    def stop(self) -> None:
        """Kill the job and hand it back to the queue: the agent is being stopped."""
        self._agent_stops = True
        self._stop_job.set()

    def run(self) -> None:
        """Run the job to its end. Never raises for what the job or its package does wrong."""
        try:
            with self._keeper:
                self._attempt()
        except LeaseLostError:
            pass
        except ServiceError as error:
            # The end could not be reported. The lease runs out, and the service says so in its own words.
            print(f"experiment {self._lease.experiment_id}: {error}", file=sys.stderr, flush=True)
        finally:
            self._logs.abandon()
            self._metrics.abandon()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _attempt(self) -> None:
        if self._lease.attempt > 1:
            self._say(f"attempt {self._lease.attempt}: the job starts again from the beginning")
        try:
            job = self._prepare()
            self._report(State.RUNNING, f"running in sandbox {self._sandbox.describe()}")
            outcome = self._run(job)
            if self._agent_stops:
                self._hand_back()
                return
            self._report(State.COLLECTING, f"{outcome.reason}; collecting its files", outcome.exit_code)
            self._collect(job.folders)
            self._finish(_final_state(outcome), outcome.reason, outcome.exit_code)
        except SightlineError as error:
            if self._agent_stops:
                self._hand_back()
            elif self._keeper.cancelled:
                self._finish(State.CANCELLED, "cancelled before its command ran")
            else:
                self._say(f"error: {error}")
                self._finish(State.FAILED, str(error))
        except LeaseLostError:
            raise
        except Exception as error:
            # A defect of ours, or something that nobody thought a job could leave. The job ends with this
            # reason and the agent goes on; running it again would only end here again.
            traceback.print_exc()
            reason = f"the agent could not handle this job ({type(error).__name__}: {error})"
            self._finish(State.FAILED, reason)

    def _prepare(self) -> Job:
        lease = self._lease
        folders = JobFolders.create(self._folder)
        self._report(State.PREPARING, "fetching the trainer package and the dataset")
        package = self._cache.trainer(lease.trainer.sha256, self._fetch_trainer)
        extract_package(package, folders.code)
        argv = parse_command(lease.command, list_names(package))
        dataset = self._dataset()
        python = python_environment.prepare(
            folders.code,
            self._cache.folder,
            lambda _, text: self._say(text),
            sandbox=self._sandbox,
            cancel=self._stop_job,
        )
        environment = lease.environment
        limits = Limits(
            time_s=environment.time_limit_s,
            memory_bytes=environment.ram,
            output_bytes=environment.output_quota_bytes,
            cpus=environment.cpu_count,
            grace_s=grace_s(lease),
        )
        return Job(
            id=f"{lease.experiment_id}-{lease.attempt}",
            argv=tuple(argv),
            folders=folders,
            dataset=dataset,
            python=python,
            limits=limits,
            gpus=tuple(str(index) for index in range(environment.gpu_count)),
        )

    def _fetch_trainer(self, target: Path) -> None:
        self._insist(lambda: self._client.download_job_trainer(self._lease, target))

    def _fetch_dataset(self, source: int, target: Path) -> None:
        self._insist(lambda: self._client.download_job_dataset(self._lease, target, source))

    def _dataset(self) -> Path:
        """The folder of what the job trains on: its one dataset, or what the recipe makes of its datasets."""
        lease = self._lease
        sources = [
            self._cache.dataset(dataset.sha256, partial(self._fetch_dataset, number))
            for number, dataset in enumerate(lease.datasets)
        ]
        if lease.recipe is None:
            return sources[0]

        def build(target: Path) -> None:
            self._say("building the recipe's dataset")
            recipe_build.build(
                lease,
                sources,
                target,
                sandbox=self._sandbox,
                folder=self._folder / "recipe",
                on_line=lambda _stream, text: self._say(text),
                cancel=self._stop_job,
            )

        return self._cache.built(recipe_build.key_of(lease), build)

    def _run(self, job: Job) -> Outcome:
        self._say(f"sandbox: {self._sandbox.describe()}")
        with MetricsTail(job.folders.run, self._metrics.put) as tail:
            outcome = self._sandbox.run(job, self._line, self._stop_job)
        if tail.refused:
            self._say(f"metrics: {tail.refused} lines were not metrics and were left out")
        if tail.problem:
            self._say(f"metrics: {tail.problem}")
        self._say(f"end: {outcome.reason}")
        if self._keeper.lost:
            raise LeaseLostError
        return outcome

    def _collect(self, folders: JobFolders) -> None:
        outputs, left_out = collect(folders, self._lease.environment.output_quota_bytes)
        for sentence in left_out:
            self._say(f"artifacts: {sentence}")
        for output in outputs:
            self._insist(partial(self._client.upload_artifact, self._lease, output.name, output.file))

    def _finish(self, state: State, reason: str, exit_code: int | None = None) -> None:
        """The last report: it follows only when every line and metric has arrived."""
        for name, outbox in (("log lines", self._logs), ("metrics", self._metrics)):
            if outbox.dropped:
                self._say(f"{outbox.dropped} {name} were dropped: they came faster than they could be sent")
        complete = self._metrics.close(_DELIVERY_S)
        complete = self._logs.close(_DELIVERY_S) and complete
        if not complete:
            why = self._logs.refusal or self._metrics.refusal or "the service could not be reached"
            reason = f"{reason} (some logs or metrics were not delivered: {why})"
        self._report(state, reason, exit_code)

    def _report(self, state: State, reason: str, exit_code: int | None = None) -> None:
        report = StateReport(state=state, reason=reason[:2000], exit_code=exit_code)
        self._insist(lambda: self._client.report_state(self._lease, report))

    def _hand_back(self) -> None:
        self._finish(State.QUEUED, "its agent was stopped; it waits for another one")

    def _insist(self, call: Callable[[], T]) -> T:
        """Call until the service answers, for as long as the lease is ours."""
        while True:
            try:
                return call()
            except ServiceError as error:
                if error.status == LEASE_LOST or self._keeper.lost:
                    raise LeaseLostError from error
                if error.status is not None and error.status < 500:
                    raise
            time.sleep(_RETRY_S)

    def _line(self, stream: str, text: str) -> None:
        with self._numbering:
            self._logs.put(
                LogLine(seq=self._next_line, at=datetime.now(UTC), stream=LogStream(stream), text=text)
            )
            self._next_line += 1

    def _say(self, text: str) -> None:
        self._line(LogStream.SYSTEM, text)


def _final_state(outcome: Outcome) -> State:
    if outcome.ending is Ending.SUCCEEDED:
        return State.SUCCEEDED
    if outcome.ending is Ending.CANCELLED:
        return State.CANCELLED
    return State.FAILED
