"""`sightline dataset`: samples to download, hidden data to publish."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli import dataset_local
from sightline.cli.commands import new_app
from sightline.cli.output import (
    AsJson,
    confirm,
    note,
    print_fields,
    print_json,
    print_table,
    say,
)

app = new_app("Work with datasets here; find and download samples; publish hidden ones.")
for function in (
    dataset_local.convert,
    dataset_local.apply,
    dataset_local.check,
    dataset_local.stats,
    dataset_local.plot,
    dataset_local.view,
    dataset_local.formats,
    dataset_local.operations,
):
    app.command(function.__name__)(function)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the dataset.")]


@app.command("ls")
def list_datasets(
    search: Annotated[str | None, typer.Option(help="Only those with this in their name or title.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the datasets of the service.

    Examples:

      sightline dataset ls

      sightline dataset ls --search digits --json
    """
    from sightline.cli.dataset_views import variant_size
    from sightline.client import connect
    from sightline.client.wire import Variant

    with connect() as client:
        datasets = client.datasets(search)
    if as_json:
        print_json(datasets)
        return
    rows = [
        (
            dataset.name,
            dataset.version,
            variant_size(dataset, Variant.SAMPLE),
            variant_size(dataset, Variant.HIDDEN),
            dataset.owner,
            dataset.title,
        )
        for dataset in datasets
    ]
    print_table(("name", "version", "sample", "hidden", "owner", "title"), rows, empty="no datasets")


@app.command("info")
def info(name: _Name, as_json: AsJson = False) -> None:
    """Show a dataset: its tasks, classes, variants and release policy.

    Examples:

      sightline dataset info digits
    """
    from sightline.cli.dataset_views import dataset_fields
    from sightline.client import connect

    with connect() as client:
        dataset = client.dataset(name)
    if as_json:
        print_json(dataset)
    else:
        print_fields(dataset_fields(dataset))


@app.command("download")
def download(
    name: _Name,
    version: Annotated[
        str | None, typer.Option("--version", "-v", help="Such as 1.0.0. Default: the latest.")
    ] = None,
    destination: Annotated[
        Path | None,
        typer.Option("--destination", "-d", help="Folder to write. Default: .data/datasets/NAME."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Download again what is there.")] = False,
) -> None:
    """Download the sample of a dataset. An interrupted download goes on where it broke off.

    Examples:

      sightline dataset download digits

      sightline dataset download digits --force --destination samples/digits --version 1.0.0
    """
    from sightline.data import Dataset
    from sightline.data.named import LOCAL_DATASETS, fetch_sample

    folder = destination or LOCAL_DATASETS / name
    if not fetch_sample(name, version, folder, force=force):
        say(f"{folder}: is there already (--force downloads it again)")
    else:
        fetched = Dataset.from_path(folder)
        say(f"{folder}: the sample of '{name}', version {fetched.info.version}, {len(fetched)} items")


@app.command("publish")
def publish(
    path: Annotated[Path, typer.Argument(help="Folder of the dataset, in Sightline's format.")],
    name: Annotated[str | None, typer.Option(help="Default: the name in dataset_info.json.")] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="How many items anybody may download, drawn over splits and classes.")
    ] = 60,
    sample_path: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A dataset to be the sample instead."),
    ] = None,
    title: Annotated[str, typer.Option(help="Shown in listings.")] = "",
    release: Annotated[
        Literal["auto", "owner"],
        typer.Option(help="Who releases models: auto, within the policy's limits; owner, you, one by one."),
    ] = "owner",
    allow_process_sandbox: Annotated[
        bool,
        typer.Option("--allow-process-sandbox", help="Let jobs run without isolation, too."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a dataset: hidden, except for a sample that every user may download.

    A dataset that you published before gets a new version; raise the version in dataset_info.json first.

    Examples:

      sightline dataset publish data/digits --sample 60

      sightline dataset publish data/wards --sample-path data/wards-anonymised --release owner
    """
    from sightline.cli.dataset_folders import publish_dataset
    from sightline.client import connect
    from sightline.client.wire import Policy, ReleaseRule

    policy = Policy(release=ReleaseRule(release), allow_process_sandbox=allow_process_sandbox)
    with connect() as client:
        published = publish_dataset(
            client, path, name=name, title=title, policy=policy, sample=sample_path or sample
        )
    if as_json:
        print_json(published)
        return
    from sightline.cli.dataset_views import variant_size
    from sightline.client.wire import Variant

    say(f"published '{published.name}' {published.version}: {published.id}")
    say(f"hidden  {variant_size(published, Variant.HIDDEN)}, which nobody can download")
    say(f"sample  {variant_size(published, Variant.SAMPLE)}, for everybody")
    if published.policy.release is ReleaseRule.OWNER:
        note("models trained on it wait for `sightline experiment release ID approve` by you")


@app.command("delete")
def delete(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a dataset from the service, hidden data and sample.

    Examples:

      sightline dataset delete digits

      sightline dataset delete digits --yes
    """

    from sightline.client import connect

    with connect() as client:
        dataset = client.dataset(name)
        confirm(f"Delete '{dataset.name}' from {client.url} for everybody?", yes)
        client.delete_dataset(dataset.id)
    say(f"deleted dataset '{dataset.name}'")
