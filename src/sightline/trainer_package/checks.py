"""What can be wrong with a package, found before anybody waits for a job. One sentence for each thing."""

import platform
import re
import threading
import warnings
from collections.abc import Collection, Sequence

from sightline.files import readable_size
from sightline.trainer_package.layout import (
    DOCKERFILE,
    MAX_PACKAGE_BYTES,
    MAX_PACKAGE_FILES,
    SCRIPTS_FOLDER,
    PackedFile,
    is_script,
)
from sightline.trainer_package.requirements import ReadFile, find_requirements, find_requires_python

_LARGEST_SCRIPT = 1 << 20  # bytes; a larger one is not read for its syntax
_MOST_SOURCE = 8 << 20  # bytes of scripts read for their syntax; a hostile package gets no more of our time
_COMPILING = threading.Lock()  # catch_warnings changes what all threads share
_FROM = re.compile(rb"^[ \t]*FROM[ \t]+\S", re.IGNORECASE | re.MULTILINE)


def package_problems(files: Sequence[PackedFile], read: ReadFile) -> list[str]:
    """Every problem of a package made of ``files``, whose bytes ``read`` gives; empty when it is sound."""
    names = {file.name for file in files}
    problems = [*_structure_problems(names), *_size_problems(files)]
    if DOCKERFILE in names and not _FROM.search(read(DOCKERFILE) or b""):
        problems.append(f"{DOCKERFILE}: has no FROM line; name the image to start from.")
    specifiers, python_problems = find_requires_python(read)
    _, requirement_problems = find_requirements(read)
    # Both read pyproject.toml, and would say twice what is wrong with it.
    problems += dict.fromkeys([*python_problems, *requirement_problems])
    # A script for another Python may well use syntax that this one does not know.
    if specifiers is None or specifiers.contains(platform.python_version(), prereleases=True):
        problems += _syntax_problems(files, read)
    return problems


def _structure_problems(names: Collection[str]) -> list[str]:
    wrapper = _wrapping_folder(names)
    if wrapper is not None:
        return [f"Everything lies in a folder '{wrapper}/'; pack what is in the folder, not the folder."]
    problems: list[str] = []
    if DOCKERFILE not in names:
        other = next((name for name in sorted(names) if name.lower() == DOCKERFILE.lower()), None)
        hint = f"rename '{other}' to it" if other else "add one that says which image to run in"
        problems.append(f"{DOCKERFILE} is missing at the top of the package; {hint}.")
    if not any(is_script(name) for name in names):
        problems.append(f"{SCRIPTS_FOLDER}/ is missing or empty; put the training script there.")
    return problems


def _wrapping_folder(names: Collection[str]) -> str | None:
    tops = {name.split("/")[0] for name in names}
    if len(tops) != 1:
        return None
    top = next(iter(tops))
    return top if f"{top}/{DOCKERFILE}" in names else None


def _size_problems(files: Sequence[PackedFile]) -> list[str]:
    problems: list[str] = []
    if len(files) > MAX_PACKAGE_FILES:
        problems.append(
            f"The package has {len(files):,} files, more than the {MAX_PACKAGE_FILES:,} allowed; "
            "leave data and environments out with an ignore file."
        )
    total = sum(file.size for file in files)
    if total > MAX_PACKAGE_BYTES:
        largest = max(files, key=lambda file: file.size)
        problems.append(
            f"The package is {readable_size(total)}, more than the {readable_size(MAX_PACKAGE_BYTES)} "
            f"allowed; the largest file is '{largest.name}' ({readable_size(largest.size)})."
        )
    return problems


def _syntax_problems(files: Sequence[PackedFile], read: ReadFile) -> list[str]:
    problems: list[str] = []
    left = _MOST_SOURCE
    for file in files:
        if is_script(file.name) and file.name.endswith(".py") and file.size <= min(left, _LARGEST_SCRIPT):
            left -= file.size
            sentence = _syntax_problem(file.name, read(file.name) or b"")
            if sentence:
                problems.append(sentence)
    return problems


def _syntax_problem(name: str, source: bytes) -> str | None:
    try:
        with _COMPILING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f" line {error.lineno}" if error.lineno else ""
        return f"{name}{line}: is not valid Python {_python()}: {error.msg}."
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"{name}: is not valid Python {_python()}: {error or type(error).__name__}."
    return None


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])
