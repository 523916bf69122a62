"""First layers for images with other bands than the weights were trained on."""

from torch import Tensor


def adapted_to_bands(weight: Tensor, channels: int) -> Tensor:
    """The weights of a first convolution, for ``channels`` bands.

    Bands that both have keep their weights; a new one gets the mean over the old ones; with fewer bands, all
    get the mean. Everything is scaled so that an image whose bands are equal has the same response as before,
    whatever the number of bands: for a grey image (one band), the sum over red, green and blue.

    Args:
        weight: (out, bands, height, width).
        channels: how many bands there are to be.
    """
    bands = weight.shape[1]
    mean = weight.mean(1, keepdim=True)
    if channels < bands:
        widened = mean.repeat(1, channels, 1, 1)
    else:
        widened = weight.new_empty(weight.shape[0], channels, *weight.shape[2:])
        widened[:, :bands] = weight
        widened[:, bands:] = mean
    return widened * (bands / channels)
