"""The reference of the spec, from the classes: ``python -m sightline.engine.spec_reference``."""

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence

from sightline import losses, transforms
from sightline.config import Config, class_path_of, describe
from sightline.config.signatures import signature_of
from sightline.config.wording import shown, type_name
from sightline.data.loading import Normalize, ShiftFlip, TorchDataset
from sightline.engine import callbacks, schedules
from sightline.engine.duration import Duration
from sightline.engine.spec import Spec
from sightline.runs import sinks
from sightline.tasks import Classification, Detection, Segmentation, Supervised

_INTRODUCTION = """\
# The spec, key by key

A spec is an experiment as YAML. This page is generated from the classes (`python -m
sightline.engine.spec_reference`); [training.md](training.md) shows specs at work.

- An unknown key is an error that names the line and the nearest key. So are a key given twice and an anchor
  that nothing uses.
- A **component** is `{class_path: package.module.Name, init_args: {...}}`, a class or function and the
  arguments to call it with; `path/to/file.py:Name` works too, from the current folder. Without arguments
  `init_args` may be left out. Arguments are checked against the signature; among them, a mapping with a
  `class_path` is built first.
- A **duration** is `10ep` (epochs), `500ba` (batches: updates of the weights), `90s`, `30m`, `2h` or `1d`.
- Anchors that are used in several places go below the key `definitions`, which holds nothing else.
- On the command line `trainer.max_duration=3ep` replaces a value; items of lists go by number
  (`callbacks.0.patience=5ep`), and `init_args.` may be left out (`optimizer.lr=1e-3`).
- `1e-3` is a number; only `true` and `false` are true and false.
"""

_SECTIONS = (
    (
        "Tasks",
        "For `task`. One of your own is a subclass of `sightline.tasks.Task`; the fields of its `Config` are "
        "its `init_args`.",
        (Classification, Detection, Segmentation, Supervised),
    ),
    (
        "Transforms",
        "For `augment` of the tasks, beside those of `torchvision.transforms.v2` and callables of your own.",
        (
            transforms.D4,
            transforms.RandomAffine,
            transforms.RandomWindow,
            transforms.RandomZoom,
            transforms.BandJitter,
            transforms.Dropout,
            ShiftFlip,
        ),
    ),
    (
        "Losses",
        "For `loss` of `sightline.tasks.Segmentation`. Pixels of no class count in none of them.",
        (
            losses.CrossEntropy,
            losses.Focal,
            losses.Dice,
            losses.Jaccard,
            losses.Tversky,
            losses.Lovasz,
            losses.WeightedSum,
        ),
    ),
    (
        "Data",
        "For `data` and `loader.normalize`. Any map-style torch dataset does; these read Sightline's.",
        (TorchDataset, Normalize),
    ),
    (
        "Schedules",
        "For `scheduler`. One of your own is a subclass of `sightline.engine.schedules.Schedule`.",
        (schedules.Constant, schedules.Cosine, schedules.Linear, schedules.Polynomial, schedules.Steps),
    ),
    (
        "Callbacks",
        "For `callbacks`. One of your own is a subclass of `sightline.engine.callbacks.Callback`.",
        (callbacks.EarlyStopping, callbacks.SystemStatistics, callbacks.Profiler),
    ),
    (
        "Loggers",
        "For `loggers`. The run directory has everything anyway; `sightline train` adds the console.",
        (sinks.Console, sinks.TensorBoard, sinks.WandB, sinks.MLflow),
    ),
)


def reference() -> str:
    """The whole page, as Markdown."""
    parts = [_INTRODUCTION, "## Keys\n", _keys()]
    for title, text, classes in _SECTIONS:
        parts += [f"## {title}\n", textwrap.fill(text, 118, break_on_hyphens=False) + "\n"]
        parts += [_class(each) for each in classes]
    return "\n".join(parts).rstrip("\n") + "\n"


def _keys() -> str:
    return _table(("key", "type", "default", "meaning"), list(_key_rows(Spec)))


def _key_rows(config_class: type[Config]) -> Iterator[tuple[str, str, str, str]]:
    for key in describe(config_class):
        default = "required" if key.default is None else f"`{key.default}`" if key.default else ""
        yield f"`{key.path}`", key.type.replace(Duration.type_name, "duration"), default, key.meaning


def _class(kind: type) -> str:
    """A section about a class: what it is, and its arguments."""
    told = _paragraphs(kind)
    meanings: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        meanings |= _argument_meanings(owner.__doc__) | _argument_meanings(_own_init_doc(owner))
    signature = signature_of(kind)
    rows = [] if signature.config is None else list(_key_rows(signature.config))
    for name, argument in signature.arguments.items():
        if signature.config is not None and name == "model":  # the engine gives it
            continue
        default = "required" if argument.required else f"`{shown(argument.default)}`"
        meaning = meanings.get(name, "")
        typed = "" if argument.annotation is inspect.Parameter.empty else type_name(argument.annotation)
        rows.append((f"`{name}`", typed, default, meaning[:1].upper() + meaning[1:]))
    table = _table(("argument", "type", "default", "meaning"), rows) if rows else "No arguments.\n"
    return f"### `{class_path_of(kind)}`\n\n{told}\n\n{table}"


def _paragraphs(kind: type) -> str:
    """The docstring up to its sections."""
    text = inspect.getdoc(kind) or ""
    text = re.split(r"\n\n(?:Args|Raises|Returns|Attributes):\n", "\n\n" + text)[0].strip()
    return _markdown(text)


def _own_init_doc(kind: type) -> str | None:
    init = vars(kind).get("__init__")
    return getattr(init, "__doc__", None)


def _argument_meanings(doc: str | None) -> dict[str, str]:
    """The entries of an ``Args:`` section."""
    text = inspect.cleandoc(doc or "")
    section = re.search(r"(?:^|\n)Args:\n(.*?)(?=\n\S|\Z)", text, re.DOTALL)
    if section is None:
        return {}
    entries = re.split(r"\n(?=\w+: )", textwrap.dedent(section[1]).strip())
    pairs = (entry.split(":", 1) for entry in entries if ":" in entry)
    return {name.strip(): _markdown(" ".join(meaning.split())) for name, meaning in pairs}


def _markdown(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", text).replace("::\n", ":\n")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_markdown(cell).replace("|", "\\|") for cell in cells) + " |"

    def lines() -> Iterator[str]:
        yield line(columns)
        yield "|" + " --- |" * len(columns)
        yield from map(line, rows)

    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
