"""How runs are shown: as tables, as JSON, as lines of text."""

import csv
import io
import json
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.cli.experiment_views import readable_duration
from sightline.cli.follow import metric_value
from sightline.errors import SightlineError
from sightline.files import readable_size

if TYPE_CHECKING:
    from sightline.runs.comparing import Comparison
    from sightline.runs.listing import Run
    from sightline.runs.summaries import Choice, MetricSummary

_LONGEST_ERROR = 36  # characters in a line of `ls`
_LONGEST_SETTING = 48  # characters in a table
_MOST_FILES = 20  # that are listed of a folder
_WIDTH_OF_NO_TERMINAL = 120
_THREADS = 2  # more only wait for each other
_BEST = "*"


class Row(NamedTuple):
    """A run with its metrics by name. Where they cannot be read the run is given as broken."""

    run: "Run"
    metrics: "dict[str, MetricSummary]"


def with_metrics(runs: "Sequence[Run]", choices: "Sequence[Choice]" = ()) -> list[Row]:
    """The metrics of each run, with a bar on the terminal while many are read."""
    from sightline.data.progress import in_parallel
    from sightline.runs.curves import read_curves
    from sightline.runs.summaries import summarise

    def row(run: "Run") -> Row:
        if run.record is None:
            return Row(run, {})
        try:
            return Row(run, summarise(read_curves(run.folder, resumed=run.resumed), choices))
        except SightlineError as error:
            return Row(replace(run, record=None, problem=str(error)), {})

    return list(in_parallel(row, runs, "reading runs", threads=_THREADS))


def run_json(row: Row) -> dict[str, Any]:
    """A run as `runs ls --json` gives it. Times are ISO 8601 in UTC; numbers that JSON lacks are text."""
    run, record = row.run, row.run.record
    return {
        "name": run.name,
        "folder": str(run.folder),
        "status": run.status,
        "started_at": record.started_at if record else None,
        "ended_at": record.ended_at if record else None,
        "duration_s": run.duration_s,
        "starts": record.starts if record else None,
        "error": record.error if record else run.problem,
        "metrics": {name: _summary_json(summary) for name, summary in row.metrics.items()},
    }


def runs_table(rows: Sequence[Row], *, all_metrics: bool) -> tuple[list[str], list[list[str]], list[str]]:
    """Columns and cells of `runs ls`, and the metrics that did not fit into the terminal's width."""
    from sightline.runs.summaries import in_order

    columns = ["run", "status", "started", "duration"]
    cells = [
        [row.run.name, row.run.status, f"{row.run.started.astimezone():%Y-%m-%d %H:%M}", _duration(row.run)]
        for row in rows
    ]
    errors = [
        _cut((row.run.record.error if row.run.record else row.run.problem) or "", _LONGEST_ERROR)
        for row in rows
    ]
    kinds = {name: summary.kind for row in rows for name, summary in row.metrics.items()}
    names = in_order(kinds)
    if all_metrics:
        names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    else:
        names.sort(key=lambda name: (kinds[name] != "metric", -sum(name in row.metrics for row in rows)))
    room = shutil.get_terminal_size((_WIDTH_OF_NO_TERMINAL, 24)).columns
    room -= sum(_width(column) for column in zip(columns, *cells, strict=True)) if cells else 0
    room -= _width(["error", *errors]) if any(errors) else 0
    shown = 0
    for name in names:
        column = [_last_and_best(row.metrics.get(name)) for row in rows]
        room -= _width([name, *column])
        if room < 0 and shown and not all_metrics:
            break
        shown += 1
        columns.append(name)
        for line, cell in zip(cells, column, strict=True):
            line.append(cell)
    if any(errors):
        columns.append("error")
        for line, error in zip(cells, errors, strict=True):
            line.append(error)
    return columns, cells, names[shown:]


class Described(NamedTuple):
    """All that `runs show` tells of a run."""

    run: "Run"
    settings: dict[str, Any]
    metrics: "dict[str, MetricSummary]"
    files: dict[str, list[Path]]
    size_bytes: int


def describe(run: "Run") -> Described:
    """Read what `runs show` tells of ``run``.

    Raises:
        SightlineError: its settings or metrics cannot be read.
    """
    from sightline.runs.comparing import flat_settings
    from sightline.runs.curves import read_curves
    from sightline.runs.removal import size_bytes
    from sightline.runs.summaries import summarise

    return Described(
        run,
        flat_settings(run),
        summarise(read_curves(run.folder, resumed=run.resumed)),
        {name: _files(run.folder / name) for name in ("checkpoints", "model", "media", "data")},
        size_bytes(run.folder),
    )


def described_json(found: Described) -> dict[str, Any]:
    """A run as `runs show --json` gives it."""
    assert found.run.record
    folder = found.run.folder
    return {
        **run_json(Row(found.run, found.metrics)),
        "record": {**asdict(found.run.record)},
        "configuration": found.settings,
        "files": {
            name: [str(path.relative_to(folder)) for path in paths] for name, paths in found.files.items()
        },
        "size_bytes": found.size_bytes,
    }


def record_fields(found: Described) -> list[tuple[str, object]]:
    """What became of a run, line by line."""
    run, record = found.run, found.run.record
    assert record
    git = record.git or {}
    commit = str(git.get("commit") or "")[:12]
    branch = f" on {git['branch']}" if git.get("branch") else ""
    changes = ", with uncommitted changes" if git.get("dirty") else ""
    has_diff = (run.folder / "git.diff").is_file()
    return [
        ("run", run.name),
        ("folder", run.folder),
        ("status", run.status),
        ("error", record.error),
        ("exit code", record.exit_code),
        ("started", record.started),
        ("ended", record.ended),
        ("duration", _duration(run)),
        ("starts", record.starts if record.starts > 1 else None),
        ("command", " ".join(record.command)),
        ("process", f"{record.pid} on {record.host}" if run.status == "running" else None),
        ("git", f"{commit}{branch}{changes}{' (git.diff)' if has_diff else ''}" if commit else None),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
        ("size", readable_size(found.size_bytes)),
    ]


def described_tables(found: Described) -> Iterator[tuple[str, Sequence[str], list[Sequence[object]]]]:
    """Title, columns and rows of the tables below: settings, metrics, files."""
    if found.settings:
        yield "Settings", ("setting", "value"), [(path, _setting(v)) for path, v in found.settings.items()]
    if found.metrics:
        rows: list[Sequence[object]] = [
            (m.name, m.points, _number(m.last), m.last_step, _number(m.best), m.best_step)
            for m in found.metrics.values()
        ]
        yield "Metrics", ("metric", "points", "last", "at step", "best", "at step"), rows
    for name, paths in found.files.items():
        listed: list[Sequence[object]] = []
        for path in paths[:_MOST_FILES]:
            about = path.lstat()
            changed = datetime.fromtimestamp(about.st_mtime, UTC)
            listed.append((path.relative_to(found.run.folder / name), readable_size(about.st_size), changed))
        if len(paths) > _MOST_FILES:
            listed.append((f"and {len(paths) - _MOST_FILES} more", "", ""))
        if listed:
            yield name.capitalize(), ("file", "size", "written"), listed


def comparison_rows(found: "Comparison") -> list[Sequence[object]]:
    """The lines of `runs compare`: what became of the runs, how they differ, how good they are."""
    rows: list[Sequence[object]] = [
        ("status", *(run.status for run in found.runs)),
        ("started", *(f"{run.started.astimezone():%Y-%m-%d %H:%M}" for run in found.runs)),
        ("duration", *(_duration(run) for run in found.runs)),
    ]
    for name, values in [*found.surroundings.items(), *found.settings.items()]:
        rows.append((name, *("-" if value is None else _setting(value) for value in values)))
    for name, summaries in found.metrics.items():
        last = [_number(each.last if each else None) or "-" for each in summaries]
        best = [_best_at(each) for each in summaries]
        marked = last if all(each is None or each.best == each.last for each in summaries) else best
        best_run = found.best_run(name)
        if best_run is not None:
            marked[best_run] += _BEST
        rows.append((f"{name} last", *last))
        if marked is best and any(each and each.best is not None for each in summaries):
            rows.append((f"{name} best", *best))
    return rows


def comparison_json(found: "Comparison") -> dict[str, Any]:
    """`runs compare --json`: lists hold a value for each run."""
    return {
        "runs": [run_json(Row(run, {})) | {"metrics": None} for run in found.runs],
        "surroundings": found.surroundings,
        "settings": found.settings,
        "metrics": {
            name: {
                "runs": [_summary_json(each) if each else None for each in summaries],
                "best_run": found.best_run(name),
            }
            for name, summaries in found.metrics.items()
        },
    }


def comparison_csv(found: "Comparison") -> str:
    """`runs compare --csv`: a line for each run; settings and metrics are columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = ["run", "status", "started_at", "duration_s", *found.surroundings, *found.settings]
    for name in found.metrics:
        header += [f"{name} last", f"{name} best", f"{name} best step"]
    writer.writerow(header)
    for index, run in enumerate(found.runs):
        line: list[object] = [run.name, run.status, run.started.isoformat(), run.duration_s]
        line += [
            "" if v[index] is None else _setting(v[index], cut=False) for v in found.surroundings.values()
        ]
        line += ["" if v[index] is None else _setting(v[index], cut=False) for v in found.settings.values()]
        for summaries in found.metrics.values():
            each = summaries[index]
            line += [each.last, each.best, each.best_step] if each else ["", "", ""]
        writer.writerow(line)
    return text.getvalue().rstrip("\n")


def text_curves(runs: "Sequence[Run]", choices: "Sequence[Choice]", smoothing: float) -> Iterator[str]:
    """The curves of `runs plot` as lines of text.

    Raises:
        SightlineError: no run has such a metric.
    """
    from sightline.runs.plotting import load_curves
    from sightline.runs.sparklines import sparkline

    width = max(len(run.name) for run in runs)
    for name, curves in load_curves(runs, choices, smoothing).items():
        finite = [value for curve in curves for value in curve.y.tolist() if math.isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
        yield f"{name}  {metric_value(low)} to {metric_value(high)}" if finite else f"{name}  no finite value"
        for run, curve in zip(runs, curves, strict=True):
            if len(curve.y):
                last = _number(float(curve.y[-1]))
                yield f"  {run.name:<{width}}  {sparkline(curve, low, high)}  {last} at {curve.x[-1]:,.0f}"
        yield ""


def _summary_json(summary: "MetricSummary") -> dict[str, Any]:
    return {name: _finite_or_text(value) for name, value in asdict(summary).items() if name != "name"}


def _finite_or_text(value: Any) -> Any:
    return _number(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if math.isnan(value):
        return "NaN"
    return metric_value(value)


def _last_and_best(summary: "MetricSummary | None") -> str:
    if summary is None:
        return ""
    last, best = _number(summary.last), _number(summary.best)
    return f"{last} ({best})" if best not in ("", last) else last


def _best_at(summary: "MetricSummary | None") -> str:
    if summary is None or summary.best is None:
        return "-"
    return f"{_number(summary.best)} at {summary.best_step}"


def _duration(run: "Run") -> str:
    return "" if run.duration_s is None else readable_duration(run.duration_s)


def _setting(value: Any, *, cut: bool = True) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _cut(text, _LONGEST_SETTING) if cut else text


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _width(column: Sequence[str]) -> int:
    return max(map(len, column)) + 2


def _files(folder: Path) -> list[Path]:
    """The files below ``folder`` by name; links are listed, not followed."""
    if folder.is_symlink():
        return []
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
