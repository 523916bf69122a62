"""A copy of the code that a spec names, so that what is edited later does not reach a job in the queue."""

import shutil
import sys
from pathlib import Path
from typing import Any

from sightline.config import Component, import_object
from sightline.engine.spec import Spec

_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*")


def staged(spec: Spec, folder: Path) -> Spec:
    """Copy the code of the spec's components to ``folder``; return the spec that names the copies.

    Copied are files that components are in, and the packages and modules below the current folder that
    are imported with them; what is installed is not. With ``folder`` first among the places for modules
    the copies are what is imported.

    Raises:
        SightlineError: a component cannot be imported.
    """
    paths = _class_paths(spec.model_dump())
    for path in paths:
        import_object(path)
    here = Path.cwd()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or file is None or not _is_ours(Path(file), here):
            continue
        source = Path(file).parent if Path(file).name == "__init__.py" else Path(file)
        _copy(source, folder / source.name)
    for path in paths:
        if ":" in path:
            file = Path(path.rpartition(":")[0])
            _copy(file, folder / _below(file, here))
    return Spec.model_validate(_renamed(spec.model_dump(), folder, here))


def _is_ours(file: Path, here: Path) -> bool:
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    return file.is_relative_to(here) and not installed and not file.is_relative_to(sys.base_prefix)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _below(file: Path, here: Path) -> Path:
    path = file.resolve()
    return path.relative_to(here) if path.is_relative_to(here) else Path(path.name)


def _class_paths(value: Any) -> list[str]:
    """Of all components in it, however deep."""
    if isinstance(value, dict):
        own = value.get("class_path")
        inner = [path for one in value.values() for path in _class_paths(one)]
        return [own, *inner] if isinstance(own, str) else inner
    if isinstance(value, list | tuple):
        return [path for one in value for path in _class_paths(one)]
    return _class_paths(value.model_dump()) if isinstance(value, Component) else []


def _renamed(value: Any, folder: Path, here: Path) -> Any:
    if isinstance(value, Component):
        value = value.model_dump()
    if isinstance(value, dict):
        renamed = {key: _renamed(one, folder, here) for key, one in value.items()}
        path = renamed.get("class_path")
        if isinstance(path, str) and ":" in path:
            file, _, name = path.rpartition(":")
            renamed["class_path"] = f"{folder / _below(Path(file), here)}:{name}"
        return renamed
    if isinstance(value, list | tuple):
        return [_renamed(one, folder, here) for one in value]
    return value
