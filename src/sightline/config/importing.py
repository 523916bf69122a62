"""From a class path to the Python object that it names, and back.

A class path is ``package.module.Name``, ``package.module.Class.method``, or for code that is not in a package
``path/to/file.py:Name``, relative to the working directory.
"""

import importlib.util
import sys
import traceback
import zlib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sightline.config.wording import did_you_mean
from sightline.errors import SightlineError

_MISSING = object()


def import_object(class_path: str) -> Any:
    """The object that a class path names.

    A module of the working directory is found too. A file is run once in a process: the running script is
    not run again, its own objects are given.

    Raises:
        SightlineError: it cannot be imported; the sentence says at which part, and why.
    """
    file, colon, name = class_path.rpartition(":")
    if colon:
        return _descend(_module_of_file(Path(file), class_path), name.split("."), class_path)
    first, *rest = class_path.split(".")
    if not rest or not all(part.isidentifier() for part in (first, *rest)):
        raise SightlineError(
            f"'{class_path}' is not the path of a Python object; write package.module.Name or file.py:Name."
        )
    return _descend(_top_module(first, class_path), rest, class_path)


def class_path_of(target: Any) -> str:
    """The shortest class path that names ``target``: ``torch.optim.AdamW``.

    Raises:
        SightlineError: nothing at the top level of a module has this name, as for a lambda or a class that is
            made inside a function.
    """
    owner = getattr(target, "__self__", None)
    if isinstance(owner, type):  # a class method
        module, name = owner.__module__, f"{owner.__qualname__}.{target.__name__}"
    else:
        module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", None)
    if not module or not name:
        kind = type(target).__name__
        raise SightlineError(
            f"an object of type {kind} has no class path; give the class or function itself."
        )
    if "<" in name:
        raise SightlineError(f"'{name}' has no class path; define it at the top level of a module, by name.")
    if file := _file_of(sys.modules.get(module)):
        return f"{file}:{name}"
    parts = module.split(".")
    for place in (".".join(parts[:length]) for length in range(1, len(parts) + 1)):
        for known_as in (name, target.__name__):
            if _found(sys.modules.get(place), known_as) == target:
                return f"{place}.{known_as}"
    raise SightlineError(f"'{name}' has no class path; there is nothing of this name in the module {module}.")


def _file_of(module: ModuleType | None) -> Path | None:
    """The file by which a script or a file run by `import_object` is named; None for an ordinary module."""
    file = getattr(module, "__file__", None)
    if module is None or file is None or not (module.__name__ == "__main__" or hasattr(module, _OWN)):
        return None
    path = Path(file).resolve()
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _found(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except Exception:  # a module may load parts lazily, and fail at it in any way
            return _MISSING
    return found


def _top_module(name: str, class_path: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path and name not in sys.modules:
        is_here = Path(f"{name}.py").is_file() or Path(name).is_dir()
        if is_here and importlib.util.find_spec(name) is None:
            sys.path.append(here)
    found = _import(name, class_path)
    if found is None:
        known = {*sys.stdlib_module_names, *sys.modules, *(path.stem for path in Path.cwd().glob("*.py"))}
        near = did_you_mean(name, (word for word in known if "." not in word))
        raise _cannot(class_path, f"there is no module '{name}'{near or '; install it, or check the name'}")
    return found


def _descend(found: Any, names: list[str], class_path: str) -> Any:
    for name in names:
        below = getattr(found, name, _MISSING)
        if below is _MISSING and isinstance(found, ModuleType) and hasattr(found, "__path__"):
            below = _import(f"{found.__name__}.{name}", class_path) or _MISSING
        if below is _MISSING:
            owner = _file_of(found) if isinstance(found, ModuleType) else None
            owner = owner or getattr(found, "__name__", type(found).__name__)
            public = [word for word in dir(found) if not word.startswith("_")]
            near = did_you_mean(name, public)
            raise _cannot(class_path, f"{owner} has no '{name}'{near or '; check the name'}")
        found = below
    return found


def _import(module: str, class_path: str) -> ModuleType | None:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise _failed(class_path, error) from error
    except Exception as error:
        raise _failed(class_path, error) from error


_OWN = "__sightline_file__"


def _module_of_file(file: Path, class_path: str) -> ModuleType:
    path = file.resolve()
    if path.suffix != ".py":
        raise _cannot(class_path, f"{file} is not a .py file; write path/to/file.py:Name")
    if not path.is_file():
        near = did_you_mean(file.name, (p.name for p in path.parent.glob("*.py")))
        raise _cannot(class_path, f"there is no file {file}{near or f' in {Path.cwd()}'}")
    for module in list(sys.modules.values()):
        loaded = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(loaded, str) and Path(loaded).name == path.name and Path(loaded).resolve() == path:
            return module
    name = f"{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    setattr(module, _OWN, True)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))  # as for a script: it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception):
            raise _failed(class_path, error) from error
        raise
    finally:
        if str(path.parent) in sys.path:
            sys.path.remove(str(path.parent))
    return module


def _failed(class_path: str, error: Exception) -> SightlineError:
    if isinstance(error, SightlineError):
        return error
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        return _cannot(class_path, f"SyntaxError: {error.msg} ({error.filename}, line {error.lineno})")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    inside = "" if "importlib" in frame.filename else f" ({frame.filename}, line {frame.lineno})"
    return _cannot(class_path, f"{what}{inside}")


def _cannot(class_path: str, why: str) -> SightlineError:
    return SightlineError(f"cannot import '{class_path}': {why}{'' if why.endswith('?') else '.'}")
