"""The Python environment for a trainer package: the running one where it will do, else one of its own."""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sightline
from sightline.errors import SightlineError
from sightline.sandbox.building import Build, find_uv
from sightline.sandbox.installed import OURSELVES, unmet, with_our_own
from sightline.sandbox.interpreter import (
    PythonEnvironment,
    host_environment,
    package_folder,
    parts_of,
)
from sightline.sandbox.job import OnLine, Sandbox
from sightline.trainer_package.requirements import read_requirements, read_requires_python

__all__ = ["PythonEnvironment", "host_environment", "prepare"]

_BORROWED = "borrowed"  # holds a link to the running sightline, for PYTHONPATH


@dataclass(frozen=True)
class _Places:
    """``environments`` holds what is finished, ``building`` what is not and uv's cache."""

    cache: Path

    def __post_init__(self) -> None:
        self.environments.mkdir(parents=True, exist_ok=True)
        self.building.mkdir(exist_ok=True)

    @property
    def environments(self) -> Path:
        return self.cache / "environments"

    @property
    def building(self) -> Path:
        return self.cache / "building"


def prepare(
    code: Path,
    cache: Path,
    on_line: OnLine,
    *,
    sandbox: Sandbox,
    cancel: threading.Event | None = None,
) -> PythonEnvironment:
    """What the trainer package in ``code`` asks for, installed.

    The running environment is reused where it satisfies everything; that takes milliseconds. Otherwise an
    environment is built once for these requirements (and this Python and sightline) below
    ``cache/environments`` and reused; whoever needs the same at the same time waits for it. The build runs
    in ``sandbox`` with a network, but without any data; its output goes to ``on_line``.

    Raises:
        SightlineError: requirements that cannot be read or installed, a Python that the package does not
            allow, a missing uv, or ``cancel`` was set.
    """
    _check_python(code)
    requirements = read_requirements(code)
    missing = unmet(requirements)
    if not missing:
        return host_environment()
    ourselves = [requirement for requirement in missing if requirement.name == OURSELVES]
    if ourselves and not ourselves[0].specifier.contains(sightline.__version__, prereleases=True):
        raise SightlineError(
            f"the trainer package asks for {ourselves[0]}, but jobs on this machine run with "
            f"sightline {sightline.__version__}"
        )
    wanted = sorted(map(str, with_our_own(requirements)))
    places = _Places(cache.resolve())
    target = places.environments / _key(wanted)
    cancel = cancel or threading.Event()
    if not target.exists():
        with _only_one(places.environments / f"{target.name}.lock", cancel):
            if not target.exists():
                names = ", ".join(sorted(requirement.name for requirement in missing))
                on_line("stdout", f"building a Python environment: this machine's own lacks {names}")
                _build(wanted, target, places, sandbox, on_line, cancel)
    return _environment(target)


def _check_python(code: Path) -> None:
    allowed = read_requires_python(code)
    if allowed is not None and not allowed.contains(platform.python_version(), prereleases=True):
        raise SightlineError(
            f"pyproject.toml: requires-python is '{allowed}', but jobs on this machine run "
            f"Python {platform.python_version()}"
        )


def _key(wanted: list[str]) -> str:
    parts = [wanted, sys.version, platform.machine(), sightline.__version__, str(package_folder())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _build(
    wanted: list[str],
    target: Path,
    places: _Places,
    sandbox: Sandbox,
    on_line: OnLine,
    cancel: threading.Event,
) -> None:
    """Build aside and rename: what bears the final name is whole. We hold the lock of this environment."""
    for left_behind in places.building.glob(f"{target.name}-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    folder = places.building / f"{target.name}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        build = Build(wanted, folder, places.building, sandbox, on_line, cancel, find_uv())
        build.run()
        borrowed = build.made / _BORROWED
        borrowed.mkdir()
        (borrowed / "sightline").symlink_to(package_folder())
        build.made.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(target: Path) -> PythonEnvironment:
    borrowed = target / _BORROWED
    base = host_environment()
    return PythonEnvironment(
        interpreter=target / "bin" / "python",
        paths=tuple(
            dict.fromkeys([*parts_of(target), borrowed, package_folder(), *parts_of(Path(sys.base_prefix))])
        ),
        python_path=(borrowed,),
        description=f"an environment of its own ({target.name[:12]}) on {base.description}",
    )


@contextlib.contextmanager
def _only_one(path: Path, cancel: threading.Event) -> Iterator[None]:
    """Hold a lock that the kernel frees when we die."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if cancel.is_set():
                    raise SightlineError("the preparation of the Python environment was cancelled") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
