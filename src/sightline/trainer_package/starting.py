"""The example trainer packages, and new packages that begin as a copy of one."""

import re
import shutil
import tomllib
from pathlib import Path

from sightline.errors import SightlineError
from sightline.files import temporary_folder
from sightline.trainer_package.collect import collect
from sightline.trainer_package.layout import PYPROJECT

EXAMPLES = ("classification", "detection", "segmentation", "spec")
"""The tasks that there is an example for; ``spec`` trains what any spec describes."""
SPEC_FILE = "spec.yaml"

_DATASET = re.compile(r"(\bdataset: )([^\s,}]+)")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def example_folder(name: str) -> Path:
    """The example package for a task: beside the source tree, or inside the installed package.

    Raises:
        SightlineError: there is no such example.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package.parents[1], package):
        folder = root / "examples" / f"trainer-{name}"
        if folder.is_dir():
            return folder
    if name in EXAMPLES:
        raise SightlineError(f"this installation lacks the example trainer-{name}; install Sightline again.")
    raise SightlineError(f"there is no example for '{name}'; choose one of {', '.join(EXAMPLES)}.")


def begin_package(
    folder: Path, task: str, *, dataset: str | None = None, spec: Path | None = None
) -> list[str]:
    """Make ``folder`` a trainer package of one's own, as a copy of an example; return its files' names.

    Args:
        folder: where; it must not exist, or be empty. Its name becomes the package's.
        task: one of `EXAMPLES`.
        dataset: the dataset that its spec is to train on, in place of the example's.
        spec: a spec file that takes the place of the example's.

    Raises:
        SightlineError: ``folder`` has something in it or a name that no package can have, or there is no
            such example.
    """
    name = folder.resolve().name.lower()
    if not _NAME.fullmatch(name):
        raise SightlineError(
            f"{folder}: package names have letters, digits, '.', '-' and '_'; choose another."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SightlineError(f"{folder}: is not empty; choose a new folder.")
    source = example_folder(task)
    packed = collect(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(f".{name}.", folder.parent) as staging:
        for file in packed.files:
            target = staging / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file.name, target)
        _rename(staging, name)
        if spec is not None:
            shutil.copyfile(spec, staging / SPEC_FILE)
        if dataset is not None:
            _name_dataset(staging, dataset, task)
        folder.mkdir(exist_ok=True)
        for entry in staging.iterdir():
            entry.rename(folder / entry.name)
    return [file.name for file in packed.files]


def _rename(folder: Path, name: str) -> None:
    """Name the package in its own files after its folder."""
    pyproject = folder / PYPROJECT
    text = pyproject.read_text(encoding="utf-8")
    before = tomllib.loads(text)["project"]["name"]
    for file in (pyproject, folder / "README.md"):
        file.write_text(file.read_text(encoding="utf-8").replace(before, name), encoding="utf-8")


def _name_dataset(folder: Path, dataset: str, task: str) -> None:
    """Put ``dataset`` in the place of the one that the package's spec and README name."""
    spec, readme = folder / SPEC_FILE, folder / "README.md"
    if not spec.exists():
        raise SightlineError(f"dataset: the {task} package takes it on the command line; leave it out here.")
    text = spec.read_text(encoding="utf-8")
    named = _DATASET.search(text)
    if named is None:
        raise SightlineError(f"{spec.name}: names no `dataset:` that could be replaced; edit it by hand.")
    spec.write_text(_DATASET.sub(rf"\g<1>{dataset}", text), encoding="utf-8")
    words = readme.read_text(encoding="utf-8").replace(f" {named.group(2)}", f" {dataset}")
    readme.write_text(words, encoding="utf-8")
