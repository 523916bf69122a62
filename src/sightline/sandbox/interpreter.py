"""The Python that a job runs with, and which of the host's files it needs to be there."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

_PARTS_OF_A_PREFIX = ("bin", "include", "lib", "lib64", "share", "pyvenv.cfg")


@dataclass(frozen=True)
class PythonEnvironment:
    """An interpreter and its packages.

    ``paths`` are shown to the job read-only where they lie on the host; ``python_path`` comes on its
    ``PYTHONPATH``. ``description`` says in a few words what it is, for the job's log.
    """

    interpreter: Path
    paths: tuple[Path, ...] = ()
    python_path: tuple[Path, ...] = ()
    description: str = ""

    @property
    def base(self) -> Path:
        """The program itself, past the links of a virtual environment."""
        return self.interpreter.resolve()


def host_environment() -> PythonEnvironment:
    """The environment that this process runs in."""
    paths = [*parts_of(Path(sys.prefix)), *parts_of(Path(sys.base_prefix))]
    package = package_folder()
    if not any(package.is_relative_to(path) for path in paths):
        paths.append(package)
    version = ".".join(map(str, sys.version_info[:3]))
    return PythonEnvironment(
        interpreter=Path(sys.executable),
        paths=tuple(dict.fromkeys(paths)),
        description=f"the Python {version} environment of this machine",
    )


def package_folder() -> Path:
    """Where the running ``sightline`` package lies: in ``site-packages``, or a checkout's ``src``."""
    found = importlib.util.find_spec("sightline")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def parts_of(prefix: Path) -> list[Path]:
    """What belongs to Python in a prefix: a virtual environment may share its folder with other things."""
    if prefix == Path("/usr"):
        return []  # in every sandbox anyway
    found = [prefix / name for name in _PARTS_OF_A_PREFIX if (prefix / name).exists()]
    # An interpreter may call itself by a path with links in it, and be asked for by the real one.
    return [*found, *(path.resolve() for path in found if path.resolve() != path.absolute())]
