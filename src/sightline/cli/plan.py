"""`sightline plan`: a spec for a dataset, with the reason beside each value."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightline.cli.output import AsJson, note, print_json, say
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.planning import Plan

Task = Annotated[
    str | None, typer.Option(metavar="NAME", help="The dataset's task to learn. Default: the only one.")
]
Time = Annotated[
    str | None, typer.Option(metavar="TIME", help="In which the training should end: 90s, 10m, 2h.")
]


def plan(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A dataset folder, a recipe's file, or a dataset's name.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The spec to write. Default: the dataset's name; '-': here.",
        ),
    ] = None,
    task: Task = None,
    time: Time = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a spec that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a dataset and this machine, and write a spec to train with.

    Each value has its reason beside it as a comment; change what you know better. A dataset that lacks splits
    gets them, as a split manifest beside the spec.

    Examples:

      sightline plan cells

      sightline plan cells -o quick.yaml --time 10m

      sightline plan cells --task species -o -
    """
    from sightline.planning import plan as make_plan

    path = spec_path(dataset) if output in (None, "-") else Path(str(output))
    made = make_plan(dataset, path, task=task, time=time)
    to_stdout = output == "-"
    if to_stdout and made.splits_file is not None:
        raise SightlineError(
            f"{dataset}: has no splits to train and validate with; name the spec with -o FILE, as they are "
            "written beside it."
        )
    if not to_stdout:
        write(made, path, overwrite=overwrite)
    if as_json:
        print_json(_json(made, None if to_stdout else path))
    elif to_stdout:
        say(made.yaml().rstrip("\n"))
    else:
        say(f"{path}: {made.facts.summary()}")
        if made.splits_file is not None:
            say(f"{made.splits_file}: {made.splits.reason}")
        note(f"to try it: sightline train {path} --dry-run")


def spec_path(dataset: str) -> Path:
    """The spec of a dataset, in the working directory: ``cells.yaml`` for ``data/cells``."""
    return Path(f"{Path(dataset).absolute().stem}.yaml")


def write(made: "Plan", path: Path, *, overwrite: bool = False) -> None:
    """Write a plan, but not over a spec that somebody may have worked on.

    Raises:
        SightlineError: there is another one.
    """
    if path.exists() and not overwrite and path.read_text(encoding="utf-8") != made.yaml():
        raise SightlineError(
            f"{path}: is there already, and may have your changes; train it as it is, or replace it: "
            "sightline plan ... --overwrite."
        )
    made.write(path)


def _json(made: "Plan", path: Path | None) -> dict[str, Any]:
    from dataclasses import asdict

    facts = made.facts
    return {
        "file": None if path is None else str(path),
        "splits_file": None if made.splits_file is None else str(made.splits_file),
        "spec": made.values,
        "choices": [asdict(choice) for choice in made.choices],
        "dataset": {
            "name": facts.dataset.info.dataset_name,
            "kind": facts.kind,
            "task": facts.task.name,
            "classes": facts.classes,
            "samples": facts.counts,
            "typical_size": facts.typical_size,
            "bands": len(facts.bands),
        },
        "machine": asdict(made.machine),
    }
