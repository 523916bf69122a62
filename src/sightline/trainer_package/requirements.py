"""What a package needs to run: ``[project].dependencies`` of ``pyproject.toml``, or ``requirements.txt``."""

import posixpath
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from sightline.errors import SightlineError
from sightline.trainer_package.layout import PYPROJECT, REQUIREMENTS

ReadFile = Callable[[str], bytes | None]

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASHES = re.compile(r"\s--hash[=\s]\S+")
_OPTION = re.compile(r"(--?[A-Za-z][\w-]*)[=\s]*(.*)", re.DOTALL)
_DEEPEST = 20  # files that name one another with -r
_ITSELF = (".", "./", "file:.")


def read_requirements(folder: Path) -> list[Requirement]:
    """The requirements of the package in ``folder``, in the order written; empty when it names none.

    ``[project].dependencies`` of ``pyproject.toml`` counts where it is given, ``requirements.txt``
    otherwise. Its ``-r`` lines are followed; ``-e .`` is passed over, because a job finds ``src/`` anyway.

    Raises:
        SightlineError: naming file and line (or entry), when something there cannot be read.
    """
    requirements, problems = find_requirements(_reader(folder))
    if problems:
        raise SightlineError(problems[0])
    return requirements


def read_requires_python(folder: Path) -> SpecifierSet | None:
    """The Python versions that ``[project].requires-python`` allows; None when it does not say.

    Raises:
        SightlineError: ``pyproject.toml`` cannot be read.
    """
    specifiers, problems = find_requires_python(_reader(folder))
    if problems:
        raise SightlineError(problems[0])
    return specifiers


def find_requirements(read: ReadFile) -> tuple[list[Requirement], list[str]]:
    """As `read_requirements`, from any source of files, with every problem as a sentence."""
    project, problems = _read_project(read)
    if problems:
        return [], problems
    listed = read(REQUIREMENTS) is not None
    if "dependencies" in project:
        return _from_project(project["dependencies"])
    if listed:
        return _from_file(read, REQUIREMENTS, (), set())
    if "dependencies" in (project.get("dynamic") or ()):
        return [], [f"{PYPROJECT}: the dependencies are dynamic; list them there or in {REQUIREMENTS}."]
    if project.get("poetry"):
        return [], [f"{PYPROJECT}: only [tool.poetry] names dependencies; use [project].dependencies."]
    return [], []


def find_requires_python(read: ReadFile) -> tuple[SpecifierSet | None, list[str]]:
    """As `read_requires_python`, from any source of files, with every problem as a sentence."""
    project, problems = _read_project(read)
    value = project.get("requires-python")
    if problems or value is None:
        return None, problems
    try:
        return SpecifierSet(value), []
    except (InvalidSpecifier, TypeError, AttributeError):
        return None, [f"{PYPROJECT}: requires-python = {value!r} is not a version range such as '>=3.11'."]


def _reader(folder: Path) -> ReadFile:
    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SightlineError(f"{folder / name}: cannot be read ({error.strerror}).") from error

    return read


def _read_project(read: ReadFile) -> tuple[dict[str, Any], list[str]]:
    """The ``[project]`` table, with ``poetry`` added where only ``[tool.poetry]`` names dependencies."""
    data = read(PYPROJECT)
    if data is None:
        return {}, []
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return {}, [f"{PYPROJECT}: is not text in UTF-8; save it as such."]
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return {}, [f"{PYPROJECT}: is not valid TOML: {error}."]
    project = document.get("project", {})
    if not isinstance(project, dict):
        return {}, [f"{PYPROJECT}: 'project' must be a table, [project]."]
    tool = document.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    return {**project, "poetry": isinstance(poetry, dict) and "dependencies" in poetry}, []


def _from_project(entries: Any) -> tuple[list[Requirement], list[str]]:
    if not isinstance(entries, list):
        return [], [f"{PYPROJECT}: [project].dependencies must be a list of texts, such as ['numpy>=2']."]
    requirements: list[Requirement] = []
    problems: list[str] = []
    for entry in entries:
        if not isinstance(entry, str):
            problems.append(f"{PYPROJECT}: {entry!r} in [project].dependencies needs quotes.")
            continue
        try:
            requirements.append(Requirement(entry))
        except InvalidRequirement as error:
            problems.append(f"{PYPROJECT}: dependency {entry!r} is not a requirement: {_first(error)}.")
    return requirements, problems


def _from_file(
    read: ReadFile, name: str, parents: tuple[str, ...], seen: set[str]
) -> tuple[list[Requirement], list[str]]:
    """One file and those it names; ``seen`` holds those already read, which count once."""
    seen.add(name)
    data = read(name)
    if data is None:
        return [], [f"{parents[-1]}: names '{name}' with -r, which is not in the package."]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [f"{name}: is not text in UTF-8; save it as such."]
    requirements: list[Requirement] = []
    problems: list[str] = []
    for number, line in _logical_lines(text):
        where = f"{name} line {number}"
        option = _OPTION.fullmatch(line) if line.startswith("-") else None
        if option is None:
            if line in _ITSELF:
                continue
            try:
                requirements.append(Requirement(_HASHES.sub("", line)))
            except InvalidRequirement as error:
                problems.append(f"{where}: '{line}' is not a requirement: {_first(error)}.")
        elif option[1] in ("-r", "--requirement"):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), option[2].strip()))
            if other.startswith(("../", "/")):
                problems.append(f"{where}: '{option[2]}' is outside the package; copy it into the folder.")
            elif other in (*parents, name):
                problems.append(f"{where}: '{other}' leads back to itself; remove the line.")
            elif len(parents) == _DEEPEST:
                problems.append(f"{where}: '-r' leads through more than {_DEEPEST} files; put them together.")
            elif other not in seen:
                more, further = _from_file(read, other, (*parents, name), seen)
                requirements += more
                problems += further
        elif option[1] in ("-e", "--editable") and option[2].strip() in _ITSELF:
            continue
        else:
            problems.append(f"{where}: '{option[1]}' is not for a package to set; remove the line.")
    return requirements, problems


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines without comments and blanks, those continued with a backslash joined; each with its number."""
    lines: list[tuple[int, str]] = []
    start, pending = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if pending else number
        line = _COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        joined = (pending + line).strip()
        pending = ""
        if joined:
            lines.append((start, joined))
    if pending.strip():
        lines.append((start, pending.strip()))
    return lines


def _first(error: Exception) -> str:
    """The first line of an error's text; the others draw a picture of the place."""
    return str(error).splitlines()[0].rstrip(".")
