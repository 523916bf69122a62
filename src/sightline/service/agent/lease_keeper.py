"""Keep a lease alive, and notice when it is not ours any more."""

import threading
import time

from sightline.client import ServiceClient, ServiceError
from sightline.client.wire import Lease

LEASE_LOST = 409  # the status of every answer to a lease that is not the caller's any more

_SILENCE = 2 / 3  # of the lease time; the rest is for ending the job
_GRACE = 1 / 6  # of the lease time


def grace_s(lease: Lease) -> float:
    """How long a job that is asked to stop may take, so that it has ended before its lease runs out."""
    return min(5.0, lease.lease_s * _GRACE)


class LeaseKeeper:
    """Sends heartbeats from a thread while it is open (a context manager).

    ``stop_job`` is set when the job must end: somebody cancelled it (``cancelled``), or the lease is lost
    (``lost``) because the service said so or was not heard of for two thirds of the lease time. In the
    second case another agent may have the job once the lease has run out, and it must never run twice at
    once. A clock of its own watches the silence, so that a heartbeat that hangs delays nothing.
    """

    def __init__(self, client: ServiceClient, lease: Lease, stop_job: threading.Event) -> None:
        self.lost = False
        self.cancelled = False
        self._stop_job = stop_job
        self._client = client
        self._lease = lease
        self._done = threading.Event()
        self._heard = time.monotonic()
        self._threads = [
            threading.Thread(target=self._send_heartbeats, name="heartbeat"),
            threading.Thread(target=self._watch_silence, name="lease-clock"),
        ]

    def __enter__(self) -> "LeaseKeeper":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _send_heartbeats(self) -> None:
        while not self._done.wait(self._lease.heartbeat_s):
            asked = time.monotonic()
            try:
                answer = self._client.heartbeat(self._lease)
            except ServiceError as error:
                if error.status == LEASE_LOST:
                    self._lose()
                    return
                continue
            self._heard = asked
            if answer.cancel:
                self.cancelled = True
                self._stop_job.set()

    def _watch_silence(self) -> None:
        allowed_s = self._lease.lease_s * _SILENCE
        while not self._done.wait(min(0.5, allowed_s / 20)):
            if time.monotonic() - self._heard > allowed_s:
                self._lose()
                return

    def _lose(self) -> None:
        self.lost = True
        self._stop_job.set()
