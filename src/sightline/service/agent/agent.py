"""The worker: leases jobs from the service, one at a time, and runs each in a sandbox."""

import fcntl
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sightline.client import ServiceClient, ServiceError
from sightline.client.wire import Lease, LeaseRequest, Variant
from sightline.errors import SightlineError
from sightline.sandbox import Sandbox, available, choose
from sightline.service.agent.caches import Cache
from sightline.service.agent.job_run import JobRun

_WAIT_S = 20.0
_RETRY_S = 1.0


class Agent:
    """An agent of a service.

    Args:
        client: connected with a key of role ``agent``.
        folder: where caches and running jobs live; one agent per folder.
        name: shown in reasons such as "agent lost: <name>".
        sandboxes: back ends to offer, best first; all that this machine has when empty.

    Raises:
        SightlineError: another agent uses the folder, or a back end is not available here.
    """

    def __init__(self, client: ServiceClient, folder: Path, name: str, sandboxes: Sequence[str] = ()) -> None:
        self._client = client
        self._folder = folder
        self._name = name
        self._offered = list(sandboxes) or available()
        for offered in self._offered:
            choose([offered])
        self._cache = Cache(folder / "cache")
        self._stopping = threading.Event()
        self._current: JobRun | None = None

    def stop(self) -> None:
        """End `run` soon; a job in hand is killed and given back to the queue. Safe in a signal handler."""
        self._stopping.set()
        if self._current:
            self._current.stop()

    @property
    def idle(self) -> bool:
        """Whether no job is in hand."""
        return self._current is None

    def run(self) -> None:
        """Work until `stop` is called."""
        with self._alone():
            shutil.rmtree(self._folder / "jobs", ignore_errors=True)  # of an agent that was killed
            wanted = {"agent": self._name, "sandboxes": self._offered, "wait_s": _WAIT_S}
            reachable = True
            while not self._stopping.is_set():
                self._cache.prune()
                try:
                    lease = self._client.lease(LeaseRequest.model_validate(wanted))
                except ServiceError as error:
                    if error.status is not None and error.status < 500:
                        raise
                    if reachable:
                        print(f"agent {self._name}: {error}; trying again", file=sys.stderr, flush=True)
                    reachable = False
                    self._stopping.wait(_RETRY_S)
                    continue
                reachable = True
                if lease is not None:
                    self._work_on(lease)

    def _work_on(self, lease: Lease) -> None:
        label = f"experiment {lease.experiment_id} (attempt {lease.attempt})"
        print(f"agent {self._name}: {label} taken", flush=True)
        folder = self._folder / "jobs" / f"{lease.experiment_id}-{lease.attempt}"
        self._current = JobRun(self._client, lease, self._sandbox_for(lease), self._cache, folder)
        if self._stopping.is_set():
            self._current.stop()
        self._current.run()
        self._current = None
        print(f"agent {self._name}: {label} done", flush=True)

    def _sandbox_for(self, lease: Lease) -> Sandbox:
        open_to_all = all(
            dataset.variant is Variant.SAMPLE or dataset.policy.allow_process_sandbox
            for dataset in lease.datasets
        )
        return choose([name for name in self._offered if open_to_all or name != "process"])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # holds hidden data: nobody else on this machine may look
        with (self._folder / "agent.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SightlineError(
                    f"{self._folder}: another agent works in this folder; stop it or choose another --folder."
                ) from error
            yield
