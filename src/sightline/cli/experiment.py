"""`sightline experiment`: run trainer packages on hidden datasets and get models back."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, note, print_fields, print_json, print_table, say
from sightline.progress_bar import progress_bar

app = new_app("Run trainer packages on hidden datasets and get models back.")

_Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="Id, the beginning of one, a name (the newest so named), or 'latest'."),
]


@app.command("create")
def create(
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Name of the dataset, or NAME:VERSION.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="Id or name of a dataset recipe, instead."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Default: run-<date>T<time>.")] = None,
    cmd: Annotated[
        str | None, typer.Option("--cmd", "-c", help="Command to run. Default: python scripts/train.py.")
    ] = None,
    trainer_path: Annotated[
        Path | None,
        typer.Option("--trainer-path", "-p", help="Folder or zip of the package. Default: this folder."),
    ] = None,
    trainer_id: Annotated[
        str | None, typer.Option("--trainer-id", "-i", help="Id or name of an uploaded trainer instead.")
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", "-e", help="As `experiment environments` lists them. Default: the first."
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Show log and metrics to the end; exit 0 if it succeeded."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a command of a trainer package on a hidden dataset.

    Ctrl-C while following stops watching only; the experiment goes on.

    Examples:

      sightline experiment create --dataset digits --follow

      sightline experiment create --dataset mnist --name classifier --trainer-path . --cmd "python
      scripts/train.py" --environment "Free Tier"
    """
    from sightline.cli.submit import submit
    from sightline.client import connect

    if (dataset is None) == (recipe is None):
        raise typer.BadParameter("give one of --dataset and --recipe.")
    if trainer_path is not None and trainer_id is not None:
        raise typer.BadParameter("give one of --trainer-path and --trainer-id.")
    with connect() as client:
        experiment = submit(
            client,
            name=name,
            dataset=dataset,
            recipe=recipe,
            command=cmd,
            trainer=trainer_id if trainer_id is not None else trainer_path or Path(),
            environment=environment,
        )
        if follow:
            from sightline.cli.follow import follow as watch

            note(f"created experiment '{experiment.name}': {experiment.id}")
            try:
                watch(client, experiment, note if as_json else say)
            finally:
                if as_json:
                    print_json(client.experiment(experiment.id))
            _say_what_next(client.experiment(experiment.id).release.state.value, experiment.id)
        elif as_json:
            print_json(experiment)
        else:
            say(f"created experiment '{experiment.name}': {experiment.id}")
            note(f"watch it: sightline experiment logs {experiment.id} --follow")


@app.command("ls")
def list_experiments(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List experiments, the newest first.

    Examples:

      sightline experiment ls

      sightline experiment ls --limit 100 --json
    """
    from sightline.cli.experiment_views import dataset_names
    from sightline.client import connect

    with connect() as client:
        experiments = client.experiments(limit)
    if as_json:
        print_json(experiments)
        return
    rows = [
        (e.id, e.name, e.state.value, dataset_names(e), e.release.state.value, e.author, e.created_at)
        for e in experiments
    ]
    columns = ("id", "name", "state", "dataset", "release", "author", "created")
    print_table(columns, rows, empty="no experiments yet; `sightline experiment create` runs one")


@app.command("show")
def show(experiment_id: _Id, as_json: AsJson = False) -> None:
    """Show an experiment: its state, why, and how it got there.

    Examples:

      sightline experiment show latest
    """
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect

    with connect() as client:
        experiment = find_experiment(client, experiment_id)
    if as_json:
        print_json(experiment)
        return
    release = experiment.release
    print_fields(
        [
            ("name", experiment.name),
            ("id", experiment.id),
            ("state", experiment.state.value),
            ("reason", experiment.reason),
            ("exit code", experiment.exit_code),
            ("attempt", experiment.attempt),
            ("dataset", " + ".join(experiment.datasets)),
            ("command", experiment.command),
            ("trainer", experiment.trainer),
            ("environment", experiment.environment),
            ("author", experiment.author),
            ("created", experiment.created_at),
            ("started", experiment.started_at),
            ("ended", experiment.ended_at),
            ("release", f"{release.state.value}{': ' if release.reason else ''}{release.reason}"),
            ("decided by", release.decided_by),
        ]
    )
    say()
    rows = [(change.at, change.state.value, change.reason) for change in experiment.history]
    print_table(("at", "state", "reason"), rows, empty="no history")


@app.command("logs")
def logs(
    experiment_id: _Id,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it ends, metrics too; exit 0 if it succeeded.")
    ] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write instead.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what an experiment logged.

    Examples:

      sightline experiment logs latest --follow

      sightline experiment logs 3f2a --output log.txt
    """
    from sightline.cli.follow import follow as watch
    from sightline.cli.follow import log_text
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect
    from sightline.files import written_whole

    if follow and (as_json or output):
        raise typer.BadParameter("--follow goes with neither --json nor --output.")
    with connect() as client:
        experiment = find_experiment(client, experiment_id)
        if follow:
            watch(client, experiment, say)
        elif as_json:
            print_json(list(client.logs(experiment.id)))
        elif output:
            with written_whole(output) as temporary, temporary.open("w", encoding="utf-8") as file:
                file.writelines(f"{log_text(line)}\n" for line in client.logs(experiment.id))
            say(f"{output}: the log of '{experiment.name}'")
        else:
            for line in client.logs(experiment.id):
                say(log_text(line))


@app.command("metrics")
def metrics(
    experiment_id: _Id,
    every_point: Annotated[bool, typer.Option("--all", help="Every point rather than a summary.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Every point as it comes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the metrics of an experiment. JSON holds every point.

    Examples:

      sightline experiment metrics latest

      sightline experiment metrics latest --json > metrics.json
    """
    from sightline.cli.experiment_views import METRIC_COLUMNS, metric_summary
    from sightline.cli.follow import metric_value
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect
    from sightline.client.wire import StoredMetricPoint

    if follow and as_json:
        raise typer.BadParameter("--follow does not go with --json.")
    with connect() as client:
        experiment = find_experiment(client, experiment_id)
        if follow:
            for event in client.stream(experiment.id):
                if isinstance(event.data, StoredMetricPoint):
                    say(f"{event.data.step}\t{event.data.name}\t{metric_value(event.data.value)}")
            return
        points = list(client.metrics(experiment.id))
    if as_json:
        print_json(points)
    elif every_point:
        rows = [(point.step, point.name, metric_value(point.value), point.at) for point in points]
        print_table(("step", "name", "value", "at"), rows, empty="no metrics yet")
    else:
        print_table(METRIC_COLUMNS, metric_summary(points), empty="no metrics yet")


@app.command("cancel")
def cancel(experiment_id: _Id) -> None:
    """Stop an experiment.

    Examples:

      sightline experiment cancel latest
    """
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect

    with connect() as client:
        experiment = client.cancel(find_experiment(client, experiment_id).id)
    say(f"'{experiment.name}' ({experiment.id}): {experiment.state.value}: {experiment.reason}")


@app.command("release")
def release(
    experiment_id: _Id,
    decision: Annotated[Literal["approve", "reject"], typer.Argument(help="approve or reject.")],
    reason: Annotated[str, typer.Option("--reason", help="Told to the author.")] = "",
) -> None:
    """Decide whether the model and other artifacts of an experiment go to its author.

    The owner of the dataset decides, never the author of the experiment.

    Examples:

      sightline experiment release 3f2a approve

      sightline experiment release 3f2a reject --reason "weights are larger than agreed"
    """
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect
    from sightline.client.messages import message
    from sightline.client.wire import ReleaseDecision

    request = message(ReleaseDecision, decision=decision, reason=reason)
    with connect() as client:
        experiment = client.release(find_experiment(client, experiment_id).id, request)
    say(f"'{experiment.name}' ({experiment.id}): {experiment.release.state.value}")


@app.command("download")
def download(
    experiment_id: _Id,
    destination: Annotated[
        Path | None,
        typer.Option("--destination", "-o", help="Folder to write. Default: .data/experiments/NAME-ID."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="model, checkpoints, data, run, or a path below; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Download the released model and other artifacts. An interrupted download goes on where it broke off.

    Examples:

      sightline experiment download latest

      sightline experiment download 3f2a --only model --destination released
    """
    from sightline.cli.artifacts import chosen_artifacts, fetch_artifacts
    from sightline.cli.lookup import find_experiment
    from sightline.client import connect
    from sightline.files import readable_size

    with connect() as client:
        experiment = find_experiment(client, experiment_id)
        artifacts = chosen_artifacts(client, experiment, only or [])
        folder = destination or Path(".data") / "experiments" / f"{experiment.name}-{experiment.id[:8]}"
        with progress_bar(f"downloading {experiment.name}") as on_bytes:
            fetch_artifacts(client, experiment, artifacts, folder, on_bytes)
    if as_json:
        print_json([{**a.model_dump(mode="json"), "file": str(folder / a.path)} for a in artifacts])
        return
    size = readable_size(sum(artifact.size_bytes for artifact in artifacts))
    say(f"{folder}: {len(artifacts)} files of '{experiment.name}', {size}")


@app.command("environments")
def environments(as_json: AsJson = False) -> None:
    """List the tiers of compute on offer; the first is the default.

    Examples:

      sightline experiment environments
    """
    from sightline.cli.experiment_views import ENVIRONMENT_COLUMNS, environment_row
    from sightline.client import connect

    with connect() as client:
        found = client.environments()
    if as_json:
        print_json(found)
    else:
        rows = [environment_row(environment) for environment in found]
        print_table(ENVIRONMENT_COLUMNS, rows, empty="no environments")


def _say_what_next(release_state: str, experiment_id: str) -> None:
    if release_state == "approved":
        note(f"get the model: sightline experiment download {experiment_id}")
    elif release_state == "pending":
        note("the model waits for the dataset's owner to release it")
