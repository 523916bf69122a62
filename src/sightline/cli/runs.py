"""`sightline runs`: what was trained here, side by side."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import runs_views as views
from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, confirm, note, print_fields, print_json, print_table, say
from sightline.errors import SightlineError
from sightline.runs.locations import EXPERIMENTS_FOLDER

if TYPE_CHECKING:
    from sightline.runs.listing import Run
    from sightline.runs.summaries import Choice

app = new_app("List, compare, plot and remove the runs that `RunLogger` and `train` left behind.")

_RUN = "A path, a run's name, part of it that no other has, or 'last'."
_Run = Annotated[str, typer.Argument(metavar="RUN", help=_RUN)]
_Runs = Annotated[list[str], typer.Argument(metavar="RUN...", help=_RUN)]
_Folder = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the runs lie.")]
_Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="NAME", help="Only this metric; 'val/*' and 'val/distance:min' too; repeatable."
    ),
]


class Status(StrEnum):
    """What became of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    BROKEN = "broken"


_Status = Annotated[Status | None, typer.Option(help="Only runs of this status.")]


@app.command("ls")
def list_runs(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where the runs lie.")
    ] = EXPERIMENTS_FOLDER,
    status: _Status = None,
    metric: _Metrics = None,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first, with the last value of each metric and in brackets the best.

    Examples:

      sightline runs ls

      sightline runs ls --status failed

      sightline runs ls sweeps/lr --metric val/accuracy --metric 'train/*'
    """
    runs = _of_status(_found(folder), status)
    rows = views.with_metrics(runs, _choices(metric))
    if as_json:
        print_json([views.run_json(row) for row in rows])
        return
    columns, cells, left_out = views.runs_table(rows, all_metrics=bool(metric))
    print_table(columns, cells, empty=f"{folder}: no runs" + (f" that are {status.value}" if status else ""))
    if left_out:
        shown = ", ".join(left_out[:4]) + (", ..." if len(left_out) > 4 else "")
        note(f"{len(left_out)} more metrics ({shown}); choose with --metric, or see all with --json.")


@app.command("show")
def show(run: _Run = "last", folder: _Folder = EXPERIMENTS_FOLDER, as_json: AsJson = False) -> None:
    """Show one run: what became of it, its settings, metrics, checkpoints and files.

    Examples:

      sightline runs show

      sightline runs show digits-lr3 --json
    """
    found = _named([run], folder)[0]
    if found.record is None:
        raise SightlineError(f"{found.folder}: is broken: {found.problem}")
    described = views.describe(found)
    if as_json:
        print_json(views.described_json(described))
        return
    print_fields(views.record_fields(described))
    for title, columns, rows in views.described_tables(described):
        say("")
        say(title)
        print_table(columns, rows, empty="")


@app.command("compare")
def compare(
    run: _Runs,
    metric: _Metrics = None,
    folder: _Folder = EXPERIMENTS_FOLDER,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each run.")] = False,
) -> None:
    """Set runs side by side: the settings in which they differ, and the last and best of each metric.

    The best of a line is marked with *.

    Examples:

      sightline runs compare last digits-lr3

      sightline runs compare .data/experiments/*digits* --metric 'val/*'

      sightline runs compare a b c --csv > table.csv
    """
    from sightline.runs.comparing import compare as compare_runs

    if as_json and as_csv:
        raise SightlineError("--json and --csv: give one of them.")
    choices = _choices(metric)
    found = compare_runs(_readable(_named(run, folder)), choices)
    if choices and not found.metrics:
        raise SightlineError(f"none of these runs has a metric {_quoted(choices)}.")
    if as_json:
        print_json(views.comparison_json(found))
    elif as_csv:
        say(views.comparison_csv(found))
    else:
        print_table(("", *(each.name for each in found.runs)), views.comparison_rows(found), empty="")


@app.command("plot")
def plot(
    run: _Runs,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="PNG file. Default: lines of text, here.")
    ] = None,
    metric: _Metrics = None,
    smooth: Annotated[
        float, typer.Option(min=0.0, max=0.999, help="Weight of what was before: 0 not at all, 0.9 a lot.")
    ] = 0.0,
    folder: _Folder = EXPERIMENTS_FOLDER,
) -> None:
    """Draw the metrics of runs over one another: one panel for each metric.

    Examples:

      sightline runs plot last

      sightline runs plot last digits-lr3 -o curves.png --metric 'val/*'

      sightline runs plot last -o loss.png --metric train/loss --smooth 0.9
    """
    runs = _readable(_named(run, folder))
    choices = _choices(metric)
    if output is None:
        for line in views.text_curves(runs, choices, smooth):
            say(line)
        return
    from sightline.runs.plotting import plot_runs

    if output.suffix.lower() != ".png":
        raise SightlineError(f"--output {output}: write to a .png file.")
    _, left_out = plot_runs(runs, output, choices, smooth)
    if left_out:
        note(f"{len(left_out)} metrics are left out ({', '.join(left_out[:4])}, ...); choose with --metric.")
    say(str(output))


@app.command("rm")
def remove_runs(
    run: Annotated[list[str] | None, typer.Argument(metavar="[RUN...]", help=_RUN)] = None,
    status: _Status = None,
    keep_best: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Remove all but the N best by --by.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="METRIC", help="Metric to judge by, such as val/accuracy or val/x:min."),
    ] = None,
    folder: _Folder = EXPERIMENTS_FOLDER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs with all their files. A run that goes on is never removed.

    Examples:

      sightline runs rm last

      sightline runs rm --status failed

      sightline runs rm --keep-best 3 --by val/accuracy --yes
    """
    from sightline.files import readable_size
    from sightline.runs.removal import check_removable, remove, size_bytes

    if not run and status is None and keep_best is None:
        raise SightlineError("say which runs: RUN, --status or --keep-best.")
    if (keep_best is None) != (by is None):
        raise SightlineError("--keep-best and --by belong together: --keep-best 3 --by val/accuracy.")
    doomed = _of_status(_named(run, folder) if run else _found(folder), status)
    if not run:
        kept = [each for each in doomed if each.record is None or each.status == Status.RUNNING]
        for each in kept:
            note(f"{each.name}: is {each.status} and stays.")
        doomed = [each for each in doomed if each not in kept]
    if keep_best is not None and by is not None:
        doomed = _worse(doomed, keep_best, by)
    if not doomed:
        note("there is nothing to remove.")
        return
    for each in doomed:
        check_removable(each)
    for each in doomed:
        note(f"{each.folder}  {each.status}  {readable_size(size_bytes(each.folder))}")
    confirm(f"Remove {'this run' if len(doomed) == 1 else f'these {len(doomed)} runs'} for good?", yes)
    for each in doomed:
        remove(each)
        say(f"removed {each.folder}")


def _found(folder: Path) -> "list[Run]":
    from sightline.runs.listing import find_runs

    if not folder.is_dir():
        if folder == EXPERIMENTS_FOLDER:
            return []
        raise SightlineError(f"{folder}: there is no such folder.")
    return find_runs(folder)


def _named(texts: list[str], folder: Path) -> "list[Run]":
    from sightline.runs.listing import find_named

    return find_named(texts, folder)


def _readable(runs: "list[Run]") -> "list[Run]":
    for run in runs:
        if run.record is None:
            raise SightlineError(f"{run.folder}: is broken: {run.problem}")
    return runs


def _of_status(runs: "list[Run]", status: Status | None) -> "list[Run]":
    return [run for run in runs if status is None or run.status == status.value]


def _choices(metric: list[str] | None) -> "list[Choice]":
    from sightline.runs.summaries import Choice

    return [Choice.of(text) for text in metric or []]


def _quoted(choices: "list[Choice]") -> str:
    return " or ".join(f"'{choice.pattern}'" for choice in choices)


def _worse(runs: "list[Run]", keep: int, by: str) -> "list[Run]":
    """All but the ``keep`` best; runs that cannot be judged by that metric are kept, and named."""
    choice = _choices([by])[0]
    judged = []
    goals = set()
    for row in views.with_metrics(runs, [choice]):
        summary = row.metrics.get(choice.pattern)
        if summary is None or summary.best is None:
            note(f"{row.run.name}: has no value of '{choice.pattern}' to judge by and stays.")
            continue
        goals.add(summary.goal)
        judged.append((-summary.best if summary.goal == "max" else summary.best, row.run))
    if runs and not judged:
        raise SightlineError(
            f"--by {by}: no run has a best value of '{choice.pattern}'; say :min or :max behind it."
        )
    if len(goals) > 1:
        raise SightlineError(f"--by {by}: it is not clear what is better; say :min or :max behind it.")
    ranked = sorted(judged, key=lambda pair: (pair[0], pair[1].name))
    return [run for _, run in ranked[keep:]]
