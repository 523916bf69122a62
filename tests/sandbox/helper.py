"""Runs jobs in a process of its own: to be killed, or as an unprivileged user.

Each line it reads is an order of ``harness.Harness.order``; it answers with the lines and the outcome as
JSON, one a line. All is imported before the rights are given up: nobody need not be able to read the
environment of the tests.
"""

import importlib
import json
import os
import pkgutil
import pwd
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sightline.sandbox
from sightline.sandbox import Job, JobFolders, Limits, PythonEnvironment, host_environment, namespace
from tests.sandbox.harness import SYSTEM_PYTHON, make_sandbox, run_here

for module in pkgutil.walk_packages(sightline.sandbox.__path__, "sightline.sandbox."):
    importlib.import_module(module.name)


def become_nobody() -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    # The trial run would use this process's own interpreter, which nobody may be unable to read.
    namespace.why_not = lambda _: None  # type: ignore[assignment]


def carry_out(order: dict[str, Any]) -> None:
    job = Job(
        id="job-1",
        argv=tuple(order["argv"]),
        folders=JobFolders(Path(order["root"])),
        dataset=Path(order["dataset"]),
        python=PythonEnvironment(SYSTEM_PYTHON) if order["drop"] else host_environment(),
        limits=Limits(**order["limits"]),
        variables=order["variables"],
    )
    result = run_here(
        make_sandbox(order["tool"]),
        job,
        order["cancel_after_s"],
        lambda stream, text: print(json.dumps([stream, text]), flush=True),
    )
    print(json.dumps(asdict(result.outcome)), flush=True)


dropped = False
for line in sys.stdin:
    order = json.loads(line)
    if order["drop"] and not dropped:
        become_nobody()
        dropped = True
    carry_out(order)
