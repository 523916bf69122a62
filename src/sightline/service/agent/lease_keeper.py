"""Keep a lease alive, and notice when it is not ours any more."""

import threading
import time

from sightline.client import ServiceClient, ServiceError
from sightline.client.wire import Lease

LEASE_LOST = 409  # the status of every answer to a lease that is not the caller's any more


class LeaseKeeper:
    """Sends heartbeats from a thread while it is open (a context manager).

    ``stop_job`` is set when the job must end: somebody cancelled it, or the lease is lost (``lost``) because
    the service said so or could not be reached for as long as the lease runs. In the second case another
    agent may have the job by now, and it must never run twice at once.
    """

    def __init__(self, client: ServiceClient, lease: Lease, stop_job: threading.Event) -> None:
        self.lost = False
        self._stop_job = stop_job
        self._client = client
        self._lease = lease
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="heartbeat")

    def __enter__(self) -> "LeaseKeeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        heard = time.monotonic()
        while not self._done.wait(self._lease.heartbeat_s):
            try:
                asked = time.monotonic()
                answer = self._client.heartbeat(self._lease)
            except ServiceError as error:
                if error.status == LEASE_LOST or time.monotonic() - heard > self._lease.lease_s:
                    self.lost = True
                    self._stop_job.set()
                    return
                continue
            heard = asked
            if answer.cancel:
                self._stop_job.set()
