"""The sandbox that does not isolate: the job contract and the limits, for code that you trust."""

import threading
from collections.abc import Sequence
from typing import Literal

from sightline.errors import SightlineError
from sightline.sandbox.contract import plan_job
from sightline.sandbox.job import Job, Limits, OnLine, Outcome
from sightline.sandbox.launch import Launch, first_process, host_place
from sightline.sandbox.plan import Plan
from sightline.sandbox.resources import usable_cpus
from sightline.sandbox.supervise import Supervision


class ProcessSandbox:
    """A job under this may read what we may read and connect to where we may."""

    name: Literal["process"] = "process"
    isolated = False

    def describe(self) -> str:
        """One line for the job's log."""
        return (
            "process: NO ISOLATION, the job can reach the network and every file that this user can; "
            "limits are kept and all its processes are ended"
        )

    def run(self, job: Job, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """See ``Sandbox.run``."""
        if not job.dataset.is_dir():
            raise SightlineError(f"the dataset folder {job.dataset} does not exist")
        plan = plan_job(job, usable_cpus(job.limits.cpus), isolated=False)
        return self.execute(plan, job.limits, on_line, cancel)

    def execute(self, plan: Plan, limits: Limits, on_line: OnLine, cancel: threading.Event) -> Outcome:
        """See ``Sandbox.execute``."""
        launch = Launch(command=_command, namespaces=False, confine=False, build_root=False)
        return Supervision(launch, plan, limits, on_line).run(cancel)


def _command(plan: Plan, descriptor: int) -> Sequence[str]:
    return first_process(str(plan.interpreter), host_place(), descriptor)
