"""What a dataset is: its name, version and tasks; read from and written to ``dataset_info.json``."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from sightline.data.primitives import PRIMITIVES, Bitmask, Primitive, Segmentation
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError

FORMAT_VERSION = "0.3.3"
"""The version of the folder format that we write, as the ``hafnia`` package counts them."""

_PRIMITIVE_OF_NAME = {primitive.__name__: primitive for primitive in PRIMITIVES}
_SEMANTIC_VERSION = re.compile(r"\d+\.\d+\.\d+([-+.]?[0-9A-Za-z][0-9A-Za-z.+-]*)?")


class ClassInfo(BaseModel):
    """One class of a task, and the tasks of the attributes that its annotations may carry."""

    model_config = ConfigDict(extra="forbid")

    name: str
    attributes: "list[TaskInfo] | None" = None


class TaskInfo(BaseModel):
    """One group of annotations: a primitive, a name and its classes (in the order of ``class_idx``).

    ``name`` defaults to the primitive's own task name. ``classes`` is None where there are no fixed
    classes. `from_class_names` is the short way for classes without attributes.
    """

    model_config = ConfigDict(extra="forbid")

    primitive: type[Primitive]
    name: str = ""
    classes: list[ClassInfo] | None = None

    @classmethod
    def from_class_names(
        cls, primitive: type[Primitive], class_names: list[str], name: str | None = None
    ) -> Self:
        """A task whose classes have no attributes."""
        return cls(primitive=primitive, name=name or "", classes=[ClassInfo(name=c) for c in class_names])

    @property
    def class_names(self) -> list[str] | None:
        """The names of the classes, by class index; None where the task has no fixed classes."""
        return None if self.classes is None else [info.name for info in self.classes]

    @model_validator(mode="before")
    @classmethod
    def _accept_short_forms(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "class_names" in data:
            names = data.pop("class_names")
            data.setdefault("classes", None if names is None else [{"name": name} for name in names])
        if data.pop("semantic", False):
            data["primitive"] = Segmentation
        if data.get("name") is None:
            data["name"] = ""
        return data

    @field_validator("primitive", mode="before")
    @classmethod
    def _primitive_of_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value not in _PRIMITIVE_OF_NAME:
                raise ValueError(f"'{value}' is not one of {', '.join(_PRIMITIVE_OF_NAME)}")
            return _PRIMITIVE_OF_NAME[value]
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.name:
            self.name = cast(str, self.primitive.__dataclass_fields__["task_name"].default)
        repeated = [name for name, count in Counter(self.class_names or ()).items() if count > 1]
        if repeated:
            raise ValueError(f"task '{self.name}' lists class '{repeated[0]}' twice")
        return self

    @field_serializer("primitive")
    def _primitive_name(self, primitive: type[Primitive]) -> str:
        # Other readers of the folder know no segmentations, but can use them as the bitmasks they are.
        return (Bitmask if primitive is Segmentation else primitive).__name__

    @model_serializer(mode="wrap")
    def _mark_semantic(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return handler(self) | ({"semantic": True} if self.primitive is Segmentation else {})


class DatasetInfo(BaseModel):
    """Name, version and contents of a dataset.

    ``version`` is semantic (``major.minor.patch``). ``meta`` is any JSON object. ``updated_at`` is when
    the dataset was made or last changed; writing it again does not touch it, so that the same dataset
    gives the same bytes.
    """

    model_config = ConfigDict(extra="forbid")

    dataset_name: str
    version: str = "1.0.0"
    dataset_title: str | None = None
    description: str | None = None
    tasks: list[TaskInfo] = Field(default_factory=list)
    reference_bibtex: str | None = None
    reference_paper_url: str | None = None
    reference_dataset_page: str | None = None
    meta: dict[str, Any] | None = None
    format_version: str = FORMAT_VERSION
    updated_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("dataset_name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        check_dataset_name(name)
        return name

    @field_validator("version")
    @classmethod
    def _check_version(cls, version: str) -> str:
        check_version(version)
        return version

    @model_validator(mode="after")
    def _check_tasks(self) -> Self:
        repeated = [name for name, count in Counter(t.name for t in self.tasks).items() if count > 1]
        if repeated:
            raise ValueError(f"two tasks are named '{repeated[0]}'; give each a name of its own")
        return self

    def task(self, which: str | type[Primitive] | None = None) -> TaskInfo:
        """The task of that name, or the only task of that primitive, or the only task there is.

        Raises:
            SightlineError: there is no such task, or more than one; the sentence lists them.
        """
        if isinstance(which, str):
            found, wanted = [task for task in self.tasks if task.name == which], f"named '{which}'"
        elif which is not None:
            found = [task for task in self.tasks if task.primitive is which]
            wanted = f"of {which.__name__}"
        else:
            found, wanted = self.tasks, "at all"
        if len(found) == 1:
            return found[0]
        tasks = ", ".join(f"'{task.name}' ({task.primitive.__name__})" for task in found or self.tasks)
        if not found:
            raise SightlineError(
                f"dataset '{self.dataset_name}' has no task {wanted}; it has {tasks or 'no tasks'}."
            )
        raise SightlineError(f"dataset '{self.dataset_name}' has several tasks: {tasks}; name one of them.")

    def write(self, path: Path) -> None:
        """Write as JSON to ``path``."""
        path.write_text(self.model_dump_json(indent=4) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read ``dataset_info.json``, also of the older formats.

        Fields that we do not know are passed over, so that a newer writer does no harm; tasks of
        primitives that we do not know (key points) likewise.

        Raises:
            SightlineError: missing, not JSON, or a field that is wrong; the sentence names it.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SightlineError(f"{path}: not found; a dataset folder has a {INFO_FILE}.") from None
        except json.JSONDecodeError as error:
            raise SightlineError(
                f"{path}: not valid JSON at line {error.lineno}, column {error.colno} ({error.msg})."
            ) from None
        except UnicodeDecodeError as error:
            raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
        if not isinstance(data, dict):
            raise SightlineError(f"{path}: holds a JSON {type(data).__name__}, expected an object.")
        data = {"format_version": "0.0.0", "updated_at": datetime.min} | data
        try:
            return cls.model_validate(_known_fields(data))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "tasks"
            raise SightlineError(f"{path}: field '{field}': {_sentence(first['msg'])}.") from None
        except SightlineError as error:
            raise SightlineError(f"{path}: {error}") from None


def check_version(version: str) -> None:
    """Raise a `SightlineError` for anything but a semantic version."""
    if not _SEMANTIC_VERSION.fullmatch(version):
        raise SightlineError(f"version '{version}' is not semantic; write it as major.minor.patch (1.0.0).")


def check_dataset_name(name: str) -> None:
    """Raise a `SightlineError` for a name that cannot be the name of a folder."""
    if not name.strip() or name in (".", "..") or set(name) & set('/\\\0:*?"<>|') or len(name) > 200:
        raise SightlineError(
            f"dataset name '{name}' cannot name a folder; use letters, digits, dots, dashes."
        )


def _known_fields(data: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in data.items() if key in DatasetInfo.model_fields}
    if isinstance(known.get("tasks"), list):
        known["tasks"] = [_known_task(task) for task in known["tasks"] if not _foreign_primitive(task)]
    return known


def _foreign_primitive(task: Any) -> bool:
    return isinstance(task, dict) and task.get("primitive") in ("KeyPoint", "Skeleton")


def _known_task(task: Any) -> Any:
    if not isinstance(task, dict):
        return task
    known = {
        key: task[key] for key in ("primitive", "name", "classes", "class_names", "semantic") if key in task
    }
    if isinstance(known.get("classes"), list):
        known["classes"] = [_known_class(info) for info in known["classes"]]
    return known


def _known_class(info: Any) -> Any:
    if not isinstance(info, dict):
        return info
    known = {key: info[key] for key in ("name", "attributes") if key in info}
    if isinstance(known.get("attributes"), list):
        known["attributes"] = [
            _known_task(task) for task in known["attributes"] if not _foreign_primitive(task)
        ]
    return known


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".")
