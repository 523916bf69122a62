"""Run a command under the job contract, with limits, and with or without isolation.

``choose()`` gives the best sandbox of this machine; ``python_environment.prepare`` the Python for a trainer
package; ``Sandbox.run`` runs a ``Job`` and says how it ended.
"""

from collections.abc import Sequence

from sightline.errors import SightlineError
from sightline.sandbox.interpreter import PythonEnvironment, host_environment
from sightline.sandbox.job import Ending, Job, JobFolders, Limits, OnLine, Outcome, Sandbox
from sightline.sandbox.namespace import TOOLS, NamespaceSandbox, why_not
from sightline.sandbox.process import ProcessSandbox

__all__ = [
    "Ending",
    "Job",
    "JobFolders",
    "Limits",
    "NamespaceSandbox",
    "OnLine",
    "Outcome",
    "ProcessSandbox",
    "PythonEnvironment",
    "Sandbox",
    "available",
    "choose",
    "host_environment",
]

_KINDS = ("namespace", "process")


def available() -> list[str]:
    """The kinds of sandbox that work on this machine, best first; the first call tries them out."""
    return [kind for kind in _KINDS if kind != "namespace" or any(why_not(tool) is None for tool in TOOLS)]


def choose(names: Sequence[str] | None = None) -> Sandbox:
    """The first of ``names`` that works here, or the best there is.

    Raises SightlineError that names what is missing when none of ``names`` does.
    """
    problems = []
    for name in _KINDS if names is None else names:
        if name == "process":
            return ProcessSandbox()
        if name == "namespace":
            try:
                return NamespaceSandbox()
            except SightlineError as error:
                problems.append(str(error))
        else:
            problems.append(f"'{name}' is not a sandbox of this machine (there are {', '.join(_KINDS)})")
    raise SightlineError("; ".join(problems) or "no sandbox was asked for")
