"""What a segmentation model minimises: losses of pixels, some of which belong to no class.

Each is a module called with logits (B, C, H, W) and the label of each pixel (B, H, W). One logit a pixel
(C = 1) is of two classes, background 0 and foreground 1; more are one for each class. Pixels of
``ignore_index`` change neither the loss nor a gradient, whatever their logits are; a batch of such pixels
alone has the loss 0. Everything is computed in float32, also under autocast.

`valid_pixels` counts the pixels that a loss is a mean over, for `sightline.tasks.Task.loss_weight`.
"""

from sightline.losses.cross_entropy import CrossEntropy
from sightline.losses.focal import Focal
from sightline.losses.lovasz import Lovasz
from sightline.losses.overlap import Dice, Jaccard, Tversky
from sightline.losses.pixel_loss import PixelLoss, valid_pixels
from sightline.losses.weighted_sum import WeightedSum

__all__ = [
    "CrossEntropy",
    "Dice",
    "Focal",
    "Jaccard",
    "Lovasz",
    "PixelLoss",
    "Tversky",
    "WeightedSum",
    "valid_pixels",
]
