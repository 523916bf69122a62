"""`sightline trainer`: trainer packages, on this machine and on the service."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, note, print_json, print_table, say
from sightline.errors import SightlineError

app = new_app("Make, check and upload trainer packages.")

_Source = Annotated[Path, typer.Argument(help="The trainer package's folder.")]


class Start(StrEnum):
    """What a new package begins with."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"
    SEGMENTATION = "segmentation"
    SPEC = "spec"


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(metavar="NAME", help="The new package's folder.")],
    task: Annotated[Start | None, typer.Option(help="The example to begin with.")] = None,
    spec: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A spec to be trained; instead of --task.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="The dataset that its spec names.")] = None,
) -> None:
    """Make a folder a new trainer package: a copy of an example, or what trains a spec of yours.

    Examples:

      sightline trainer init --task detection find-cells --dataset blood-cells

      sightline trainer init --spec digits.yaml read-digits
    """
    from sightline.config import load
    from sightline.engine import Spec
    from sightline.trainer_package import begin_package

    if (task is None) == (spec is None):
        raise SightlineError("say what the package begins with: --task or --spec, one of them.")
    if spec is not None:
        load(Spec, spec)
    names = begin_package(folder, (task or Start.SPEC).value, dataset=dataset, spec=spec)
    say(f"{folder}: a trainer package of {len(names)} files")
    note(f"next: cd {folder} && python scripts/train.py; then sightline trainer check {folder}")


@app.command("create-zip")
def create_zip(
    source: _Source = Path(),
    output: Annotated[Path, typer.Option(help="The zip file to write.")] = Path("trainer.zip"),
) -> None:
    """Pack a folder into a trainer.zip: the same files give the same bytes.

    Leaves out what .sightlineignore says (gitignore syntax), and always secrets such as .env files.

    Examples:

      sightline trainer create-zip .

      sightline trainer create-zip ../trainer-classification --output trainer.zip
    """
    from sightline.files import readable_size
    from sightline.trainer_package import create_zip as make

    summary = make(source, output)
    say(f"{summary.path}: {len(summary.files)} files, {readable_size(summary.size_bytes)}")
    say(f"sha256 {summary.sha256}")
    for left_out in summary.left_out:
        note(f"left out: {left_out}")


@app.command("view-zip")
def view_zip(
    path: Annotated[Path, typer.Option(help="The zip file.")] = Path("trainer.zip"),
    depth_limit: Annotated[int, typer.Option(min=1, help="Folders below this depth are summed up.")] = 3,
    as_json: AsJson = False,
) -> None:
    """List what is in a trainer.zip.

    Examples:

      sightline trainer view-zip

      sightline trainer view-zip --path trainer.zip --depth-limit 1
    """
    from sightline.files import readable_size
    from sightline.trainer_package import read_zip

    members = read_zip(path)
    if as_json:
        print_json([{"name": member.name, "size": member.size} for member in members])
        return
    sizes: dict[str, list[int]] = {}
    for member in members:
        parts = member.name.split("/")
        shown = member.name if len(parts) <= depth_limit else "/".join(parts[:depth_limit]) + "/…"
        sizes.setdefault(shown, []).append(member.size)
    rows = [
        (name, readable_size(sum(found)), f"{len(found)} files" if len(found) > 1 else "")
        for name, found in sorted(sizes.items())
    ]
    print_table(("file", "size", ""), rows, empty=f"{path} is empty")


@app.command("check")
def check(source: Annotated[Path, typer.Argument(help="A folder or a trainer.zip.")] = Path()) -> None:
    """Say everything that is wrong with a trainer package; exit 1 if anything is.

    Examples:

      sightline trainer check .

      sightline trainer check trainer.zip
    """
    from sightline.trainer_package import check_folder, check_zip

    if source.is_file():
        check_zip(source)
    else:
        problems = check_folder(source)
        for problem in problems[:-1]:
            note(f"error: {problem}")
        if problems:
            raise SightlineError(problems[-1])
    say(f"{source}: is a trainer package")


@app.command("ls")
def list_trainers(as_json: AsJson = False) -> None:
    """List the trainer packages on the service.

    Examples:

      sightline trainer ls
    """
    from sightline.client import connect
    from sightline.files import readable_size

    with connect() as client:
        trainers = client.trainers()
    if as_json:
        print_json(trainers)
        return
    rows = [
        (t.id, t.name, readable_size(t.size_bytes), t.author, t.created_at, t.default_command)
        for t in trainers
    ]
    columns = ("id", "name", "size", "author", "created", "command")
    print_table(columns, rows, empty="no trainers yet; `sightline trainer create PATH` uploads one")


@app.command("create")
def create(
    path: Annotated[Path, typer.Argument(help="The trainer package's folder, or a trainer.zip.")] = Path(),
    name: Annotated[str | None, typer.Option("--name", "-n", help="Default: the folder's name.")] = None,
    description: Annotated[str, typer.Option("--description", "-d", help="What it does.")] = "",
    cmd: Annotated[str, typer.Option("--cmd", help="Its usual command.")] = "python scripts/train.py",
    as_json: AsJson = False,
) -> None:
    """Upload a trainer package, to be used by several experiments.

    Examples:

      sightline trainer create . --name classifier --cmd "python scripts/train.py"

      sightline trainer create trainer.zip -n classifier -d "ResNet, 10 epochs"
    """
    from sightline.cli.packages import packed
    from sightline.client import connect
    from sightline.trainer_package import parse_command

    package = packed(path, name)
    parse_command(cmd, package.files)
    with connect() as client:
        trainer = client.create_trainer(package.path, package.name, description, cmd)
    if as_json:
        print_json(trainer)
    else:
        say(f"created trainer '{trainer.name}': {trainer.id}")


@app.command("update")
def update(
    trainer: Annotated[str, typer.Argument(metavar="ID", help="Id or name of the trainer.")],
    name: Annotated[str | None, typer.Option("--name", "-n", help="New name.")] = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help="New description.")] = None,
    cmd: Annotated[str | None, typer.Option("--cmd", help="New usual command.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a trainer's name, description or usual command.

    The package itself never changes: experiments that ran stay what they were. Upload a new one instead.

    Examples:

      sightline trainer update classifier --cmd "python scripts/train.py --epochs 20"
    """
    from sightline.cli.lookup import find_trainer
    from sightline.client import connect
    from sightline.client.messages import message
    from sightline.client.wire import TrainerPatch

    if name is None and description is None and cmd is None:
        raise typer.BadParameter("give at least one of --name, --description and --cmd.")
    patch = message(TrainerPatch, name=name, description=description, default_command=cmd)
    with connect() as client:
        updated = client.update_trainer(find_trainer(client, trainer).id, patch)
    if as_json:
        print_json(updated)
    else:
        say(f"updated trainer '{updated.name}': {updated.id}")
