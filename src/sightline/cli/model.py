"""`sightline model`: exported models by name, in a folder or an object store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.commands import new_app
from sightline.cli.output import AsJson, confirm, note, print_fields, print_json, print_table, say

if TYPE_CHECKING:
    from sightline.deploy.card import ModelCard
    from sightline.deploy.registry import Revision

app = new_app("Keep exported models: list, show, push, pull and remove them.")

Where = Annotated[
    str | None,
    typer.Option(
        "--registry",
        metavar="PLACE",
        help="A folder, or a URL as s3://bucket/models. Default: $SIGHTLINE_REGISTRY, or .data/models.",
    ),
]
Reference = Annotated[str, typer.Argument(metavar="NAME[@REVISION]", help="Without a revision: the newest.")]


@app.command("ls")
def list_models(
    name: Annotated[str | None, typer.Argument(help="List the revisions of one model.")] = None,
    registry: Where = None,
    as_json: AsJson = False,
) -> None:
    """List the models, each by its newest revision; or all revisions of one.

    Examples:

      sightline model ls

      sightline model ls water --registry s3://lab/models
    """
    from sightline.deploy.registry import Registry
    from sightline.files import readable_size

    place = Registry(registry)
    found = place.models() if name is None else place.revisions(name)
    if as_json:
        print_json(found)
        return
    print_table(
        ("model", "task", "classes", "precision", "how good", "size"),
        [
            (
                one.reference,
                one.card.task,
                len(one.card.classes),
                one.card.precision,
                _how_good(one.card),
                readable_size(one.size_bytes),
            )
            for one in found
        ],
        empty=f"there are no models in {place.url}; `sightline model push FILE` adds one.",
    )


@app.command("show")
def show_model(
    model: Annotated[
        str, typer.Argument(metavar="FILE|NAME[@REVISION]", help="An exported file, or a model kept.")
    ],
    registry: Where = None,
    as_json: AsJson = False,
) -> None:
    """Print the card of a model: what it takes and gives, where it is from, how good it is.

    Examples:

      sightline model show water.onnx

      sightline model show water@2026-11-20 --json
    """
    from sightline.deploy.card_files import format_of, read_card
    from sightline.deploy.registry import Registry

    if format_of(Path(model)) is not None:
        card, revision = read_card(Path(model)), None
    else:
        revision = Registry(registry).find(model)
        card = revision.card
    if as_json:
        print_json(card if revision is None else revision)
        return
    _show(card, revision)


@app.command("push")
def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `sightline export` made.")],
    name: Annotated[str | None, typer.Option(help="Of the model. Default: that in its card.")] = None,
    registry: Where = None,
    as_json: AsJson = False,
) -> None:
    """Keep a copy of an exported file as a new revision.

    Examples:

      sightline model push water.onnx

      sightline model push water.onnx --name water-v2 --registry s3://lab/models
    """
    from sightline.deploy.registry import Registry

    place = Registry(registry)
    revision, is_new = place.push(file, name)
    if as_json:
        print_json(revision)
        return
    say(revision.reference)
    note(f"in {place.url}" if is_new else f"is in {place.url} already, since {revision.pushed_at}")


@app.command("pull")
def pull(
    reference: Reference,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="A file or a folder. Default: here."),
    ] = None,
    registry: Where = None,
) -> None:
    """Fetch a file, compared with its hash.

    Examples:

      sightline model pull water

      sightline model pull water@2026-11-20-1a2b3c4d -o models/
    """
    from sightline.deploy.registry import Registry

    say(str(Registry(registry).pull(reference, output)))


@app.command("rm")
def remove(
    reference: Annotated[
        str, typer.Argument(metavar="NAME[@REVISION]", help="Without a revision: all of them.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    registry: Where = None,
) -> None:
    """Remove a revision, or a model with all of its revisions.

    Examples:

      sightline model rm water@2026-11-20-1a2b3c4d

      sightline model rm water --yes
    """
    from sightline.deploy.registry import Registry

    place = Registry(registry)
    named = [place.find(reference)] if "@" in reference else place.revisions(reference)
    what = named[0].reference if len(named) == 1 else f"all {len(named)} revisions of {reference}"
    if named:
        confirm(f"Remove {what} from {place.url} for good?", yes)
    for revision in place.remove(reference):
        say(f"removed {revision.reference}")


def _how_good(card: "ModelCard") -> str:
    from sightline.deploy.headline import headline_of

    found = headline_of(card)
    return "" if found is None else f"{found[0]} {found[1]:.4f}"


def _show(card: "ModelCard", revision: "Revision | None") -> None:
    kept = {} if revision is None else {"revision": revision.reference, "sha256": revision.sha256}
    taken = card.input
    data, training, check = card.data, card.training, card.check
    print_fields(
        [
            ("name", card.name),
            *kept.items(),
            ("description", card.description),
            ("licence", card.licence),
            ("task", card.task + (", several classes an image" if card.multi_label else "")),
            ("classes", ", ".join(card.classes)),
            ("precision", card.precision),
            ("bands", ", ".join(map(str, card.preprocessing.bands))),
            ("pixels", taken.type),
            ("size", _size(card)),
            ("batch", "any" if taken.batch is None else taken.batch),
            ("ground resolution", card.ground_resolution and f"{card.ground_resolution:.3g} m"),
            ("architecture", card.architecture and card.architecture.name),
            ("trained on", data and f"{data.name} {data.version}, task {data.task}"),
            ("samples", data and ", ".join(f"{split} {count:,}" for split, count in data.samples.items())),
            ("run", training and training.run),
            ("update", training and training.step),
            ("commit", training and training.commit),
            ("weights sha256", training and training.weights_sha256),
            ("exported", card.created_at and f"{card.created_at} by Sightline {card.sightline}"),
            ("compared on", check and f"{check.count} {check.images} images"),
            *((name, f"{value:.4f}") for name, value in card.metrics.items()),
        ]
    )


def _size(card: "ModelCard") -> str:
    preprocessing, taken = card.preprocessing, card.input
    if preprocessing.size is not None:
        height, width = preprocessing.size
        return f"{height} x {width} ({preprocessing.fit})"
    if taken.size is not None:
        return "{} x {} only".format(*taken.size)
    multiple = max(preprocessing.multiple, taken.multiple)
    return "any" if multiple == 1 else f"any, filled up to multiples of {preprocessing.multiple}"
