"""Build one virtual environment with uv, apart from all data and all secrets but the index's own."""

import os
import re
import shutil
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sightline.errors import SightlineError
from sightline.sandbox.interpreter import host_environment, parts_of
from sightline.sandbox.job import Ending, Limits, OnLine, Outcome, Sandbox
from sightline.sandbox.plan import Mount, Plan, read_only, without_repeats
from sightline.sandbox.rootfs import base_mounts

_TIME_LIMIT_S = 3600.0
_MAX_BYTES = 100 << 30
_PASSED_ON = re.compile(
    r"(UV|PIP)_.*|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE", re.IGNORECASE
)
_SAYS_WHERE = re.compile(
    r"UV_(FIND_LINKS|INDEX|DEFAULT_INDEX|INDEX_URL|EXTRA_INDEX_URL|CONFIG_FILE|CONSTRAINT|OVERRIDE)"
    r"|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE",
)
_NEEDS_A_BUILD = re.compile(r"building (from )?source|no usable wheels|no-build", re.IGNORECASE)
_WORDS = 600  # characters of the resolver's complaint


@dataclass(frozen=True)
class Build:
    """``folder`` is for this build alone; it lies in ``place`` beside the cache that all builds share.

    One mount shows both, so that packages can be linked from the cache instead of copied.
    """

    requirements: list[str]
    folder: Path
    place: Path
    sandbox: Sandbox
    on_line: OnLine
    cancel: threading.Event
    uv: Path
    _said: list[str] = field(default_factory=list)

    @property
    def made(self) -> Path:
        """The virtual environment."""
        return self.folder / "made"

    def run(self) -> None:
        """Make it. Raises SightlineError with the resolver's words when that fails."""
        (self.folder / "requirements.txt").write_text("\n".join(self.requirements) + "\n")
        python = str(host_environment().base)
        made = self._uv(self.folder, "venv", "--quiet", "--relocatable", "--python", python, str(self.made))
        if made.ending is not Ending.SUCCEEDED:
            raise self._failure()
        # The cache outlives the build and serves others, so only uv itself may write to it: wheels are
        # unpacked, nothing is executed. What has to be built from source gets a cache that is thrown away.
        if self._install(self.place, "--no-build").ending is Ending.SUCCEEDED:
            return
        if not any(_NEEDS_A_BUILD.search(line) for line in self._said):
            raise self._failure()
        self.on_line("stdout", "some packages have no wheel; they are built from source")
        if self._install(self.folder).ending is not Ending.SUCCEEDED:
            raise self._failure()

    def _install(self, writable: Path, *options: str) -> Outcome:
        python, listed = str(self.made / "bin" / "python"), str(self.folder / "requirements.txt")
        return self._uv(writable, "pip", "install", *options, "--python", python, "--requirements", listed)

    def _uv(self, writable: Path, *arguments: str) -> Outcome:
        self._said.clear()
        cache = writable / "uv-cache"
        limits = Limits(
            time_s=_TIME_LIMIT_S,
            memory_bytes=psutil.virtual_memory().total,
            output_bytes=_MAX_BYTES,
            cpus=os.cpu_count() or 1,
            processes=4096,
        )
        plan = Plan(
            command=(str(self.uv), *arguments),
            folder=str(self.folder),
            variables=self._variables(cache),
            interpreter=host_environment().base,
            mounts=tuple(self._mounts(writable, limits)),
            make_folders=(str(cache), str(self.folder / "home"), str(self.folder / "tmp")),
            share_network=True,
        )
        outcome = self.sandbox.execute(plan, limits, self._hear, self.cancel)
        if outcome.ending is Ending.CANCELLED:
            raise SightlineError("the preparation of the Python environment was cancelled")
        if outcome.ending is not Ending.SUCCEEDED and not self._said:
            self._said.append(outcome.reason)
        return outcome

    def _hear(self, stream: str, text: str) -> None:
        if text.strip():
            self._said.append(text.strip())
            del self._said[:-100]
        self.on_line(stream, text)

    def _variables(self, cache: Path) -> dict[str, str]:
        passed_on = {name: value for name, value in os.environ.items() if _PASSED_ON.fullmatch(name)}
        own = {
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TMPDIR": str(self.folder / "tmp"),
            "UV_CACHE_DIR": str(cache),
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        return passed_on | own

    def _mounts(self, writable: Path, limits: Limits) -> list[Mount]:
        wanted = [self.uv, *host_environment().paths, *parts_of(Path(sys.base_prefix)), *_local_places()]
        shown = [*base_mounts(limits.memory_bytes, host_names=True), *map(read_only, wanted)]
        return [*without_repeats(shown), Mount("bind", str(writable), str(writable.resolve()), writable=True)]

    def _failure(self) -> SightlineError:
        starts = [
            number
            for number, line in enumerate(self._said)
            if line.startswith(("error", "\N{MULTIPLICATION SIGN}"))
        ]
        words = " ".join(self._said[starts[0] if starts else -12 :])
        words = words if len(words) <= _WORDS else "… " + words[-_WORDS:]
        return SightlineError(f"the packages that the trainer package asks for cannot be installed: {words}")


def _local_places() -> list[Path]:
    """Folders and files of this machine that the settings of uv point to, and uv's own settings."""
    places = []
    for name, value in os.environ.items():
        if _SAYS_WHERE.fullmatch(name):
            places += [Path(part.removeprefix("file://")) for part in re.split(r"[,\s:]+(?=/)|[,\s]+", value)]
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places += [configuration / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    return [place for place in places if place.is_absolute() and place.exists()]


def find_uv() -> Path:
    """The uv that came with the ``uv`` package, or the one on the path. SightlineError when there is none."""
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        program = shutil.which("uv")
    if program is None:
        raise SightlineError(
            "this trainer package needs packages of its own, and building an environment for it needs uv: "
            "install sightline[service]"
        )
    return Path(program)
