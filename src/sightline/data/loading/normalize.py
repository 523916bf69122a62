"""From uint8 to what a network takes, on the device that it runs on."""

from collections.abc import Sequence

import torch

from sightline.errors import SightlineError


class Normalize(torch.nn.Module):
    """uint8 images (..., channels, height, width) to float32 ``(image / 255 - mean) / std``.

    Bytes are a quarter of what floats would take up on the way from worker to process to device, and the
    arithmetic costs the device next to nothing. ``mean`` and ``std`` have a number per channel, for
    values of 0 to 1.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        try:
            means = torch.tensor(mean, dtype=torch.float64)
            stds = torch.tensor(std, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            means = stds = torch.zeros(0)
        # Written so that NaN is refused too.
        if not (
            means.dim() == 1 and 0 < len(means) == len(stds) and means.isfinite().all() and (stds > 0).all()
        ):
            raise SightlineError(f"mean {mean} and std {std}: give a number per channel, and std above 0.")
        self.register_buffer("scale", (1 / (255 * stds)).float().reshape(-1, 1, 1), persistent=False)
        self.register_buffer("shift", (-means / stds).float().reshape(-1, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """See the class.

        Raises:
            SightlineError: the images are not uint8, or have another number of channels.
        """
        if images.dtype != torch.uint8:
            raise SightlineError(
                f"images are {images.dtype} and not uint8; leave ToDtype out of the transforms."
            )
        channels = len(self.scale)
        if images.dim() < 3 or images.shape[-3] != channels:
            raise SightlineError(
                f"images are of shape {tuple(images.shape)}, but mean and std are for {channels} channels; "
                "give a number for each channel, which is the last dimension but two."
            )
        if images.dim() != 4 or not images.is_contiguous(memory_format=torch.channels_last):
            return images.float().mul_(self.scale).add_(self.shift)
        # Rows of pixels with the numbers repeated along them: a loop over three channels would be slow.
        count, _, height, width = images.shape
        rows = images.permute(0, 2, 3, 1).reshape(count, height, -1).float()
        rows = rows.mul_(self.scale.flatten().repeat(width)).add_(self.shift.flatten().repeat(width))
        return rows.view(count, height, width, -1).permute(0, 3, 1, 2)
