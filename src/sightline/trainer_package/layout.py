"""What a trainer package consists of, and how large it may be."""

from dataclasses import dataclass

DOCKERFILE = "Dockerfile"
SCRIPTS_FOLDER = "scripts"
SOURCE_FOLDER = "src"
PYPROJECT = "pyproject.toml"
REQUIREMENTS = "requirements.txt"
PACKAGE_NAME = "trainer.zip"

MAX_PACKAGE_BYTES = 500 << 20
MAX_PACKAGE_FILES = 10_000


@dataclass(frozen=True)
class PackedFile:
    """A file of a package: its name with ``/`` between folders, and its size in bytes, unpacked."""

    name: str
    size: int


def is_script(name: str) -> bool:
    """True for a file somewhere below ``scripts/``."""
    return name.startswith(SCRIPTS_FOLDER + "/")
