"""Train an image classifier on any classification dataset; the same command here and on hidden data."""

import time
from typing import Annotated

import torch
import typer
from torch.nn import functional as F
from trainer_classification import model as models
from trainer_classification import probe as probes
from trainer_classification.data import fitting_image_size, make_loader, make_parts
from trainer_classification.evaluation import accuracy

from sightline.data import Classification, Dataset
from sightline.runs import RunLogger


def main(
    dataset: Annotated[str, typer.Option(help="Its name; outside of a job, the sample is used.")] = "digits",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 10,
    batch_size: Annotated[int, typer.Option(min=1)] = 64,
    learning_rate: Annotated[float, typer.Option(min=0, help="Peak of the one-cycle schedule.")] = 4e-3,
    weight_decay: Annotated[float, typer.Option(min=0)] = 1e-2,
    image_size: Annotated[int, typer.Option(min=0, help="Pixels; 0: fitted to the dataset.")] = 0,
    width: Annotated[int, typer.Option(min=8, help="Channels of the network's first stage.")] = 32,
    flip: Annotated[bool, typer.Option(help="Augment with left-right flips.")] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 0,
    seed: Annotated[int, typer.Option()] = 0,
    probe: Annotated[bool, typer.Option(help="First print what this machine lets a trainer do.")] = False,
) -> None:
    """Train an image classifier."""
    if probe:
        probes.report()
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = Dataset.from_name(dataset)
    image_size = image_size or fitting_image_size(data)
    parts = make_parts(data, image_size, flip, seed)
    loaders = {
        split: make_loader(part, split, batch_size, workers, seed, device) for split, part in parts.items()
    }

    class_names = data.info.task(Classification).class_names
    if not class_names:
        raise SystemExit(f"error: dataset '{dataset}' names no classes, so there is nothing to tell apart.")
    config = models.ModelConfig(class_names=class_names, image_size=image_size, width=width)
    model = models.Classifier(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    steps = epochs * len(loaders["train"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)

    with RunLogger(name=f"classify-{dataset}") as logger:
        logger.log_configuration(
            {
                "dataset": f"{data.info.dataset_name} {data.info.version}",
                "images": len(data),
                "epochs": epochs,
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "weight_decay": weight_decay,
                "image_size": image_size,
                "width": width,
                "flip": flip,
                "seed": seed,
                "device": str(device),
            }
        )
        counts = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
        print(f"{len(data)} images of {image_size} px ({counts}), on {device}")
        step = 0
        for epoch in range(1, epochs + 1):
            started = time.perf_counter()
            model.train()
            losses = []
            for images, targets in loaders["train"]:
                loss = F.cross_entropy(model(images), targets["label"], label_smoothing=0.05)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
                step += 1
            mean_loss = float(torch.stack(losses).mean())
            validation = accuracy(model, loaders["validation"])
            logger.log_scalar("train/loss", mean_loss, step=step)
            logger.log_metric("validation/accuracy", validation, step=step)
            print(
                f"epoch {epoch}/{epochs}  loss {mean_loss:.3f}  validation accuracy {validation:.3f}"
                f"  {time.perf_counter() - started:.1f} s"
            )
            models.save(model, logger.path_model_checkpoints())

        models.save(model, logger.path_model())
        if "test" in loaders:
            test = accuracy(model, loaders["test"])
            logger.log_metric("test/accuracy", test, step=step)
            print(f"test accuracy {test:.4f} on {len(parts['test'])} images")


if __name__ == "__main__":
    typer.run(main)
