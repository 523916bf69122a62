"""The sizes in which RT-DETR and D-FINE were published, as configurations of ``transformers``."""

from typing import Any, NamedTuple


class DetrSize(NamedTuple):
    """A published size: the repository of its ``weights`` on the Hugging Face Hub, and its ``config``."""

    weights: str
    config: dict[str, Any]


def _rt_detr(weights: str, layers: list[int], decoder_layers: int, *, basic: bool) -> DetrSize:
    """RT-DETR (Zhao et al. 2023, arXiv:2304.08069) on a ResNet of so many ``layers`` a stage."""
    widths = [64, 128, 256, 512] if basic else [256, 512, 1024, 2048]
    backbone = {
        "model_type": "rt_detr_resnet",
        "layer_type": "basic" if basic else "bottleneck",
        "depths": layers,
        "hidden_sizes": widths,
        "out_features": ["stage2", "stage3", "stage4"],
    }
    config = {
        "backbone_config": backbone,
        "encoder_in_channels": widths[1:],
        "hidden_expansion": 0.5 if basic else 1.0,
        "decoder_layers": decoder_layers,
    }
    return DetrSize(f"PekingU/{weights}", config)


def _d_fine(
    weights: str,
    stem: tuple[int, int],
    widths: list[int],
    blocks: list[int],
    layers: int,
    decoder_layers: int,
    levels: int = 3,
    *,
    affine: bool = False,
    **config: Any,
) -> DetrSize:
    """D-FINE (Peng et al. 2024, arXiv:2410.13842) on a HGNet v2 that has ``widths`` after its stages."""
    backbone = {
        "model_type": "hgnet_v2",
        "stem_channels": [3, *stem],
        "hidden_sizes": [2 * widths[0], *widths[1:]],
        "stage_in_channels": [stem[1], *widths[:-1]],
        "stage_mid_channels": [stem[1] * factor for factor in (1, 2, 4, 8)],
        "stage_out_channels": widths,
        "stage_num_blocks": blocks,
        "stage_numb_of_layers": [layers] * 4,
        "stage_downsample": [False, True, True, True],
        "stage_light_block": [False, False, True, True],
        "stage_kernel_size": [3, 3, 5, 5],
        "use_learnable_affine_block": affine,
        "out_features": ["stage2", "stage3", "stage4"][-levels:],
    }
    config = {
        "backbone_config": backbone,
        "encoder_in_channels": widths[-levels:],
        "num_feature_levels": levels,
        "decoder_layers": decoder_layers,
        "decoder_n_points": [3, 6, 3],
    } | config
    return DetrSize(f"ustc-community/dfine-{weights}-coco", config)


_SMALL = {
    "stem": (16, 16),
    "widths": [64, 256, 512, 1024],
    "blocks": [1, 1, 2, 1],
    "layers": 3,
    "affine": True,
}

DETR_SIZES = {
    "rt_detr_r18": _rt_detr("rtdetr_r18vd", [2, 2, 2, 2], 3, basic=True),
    "rt_detr_r34": _rt_detr("rtdetr_r34vd", [3, 4, 6, 3], 4, basic=True),
    "rt_detr_r50": _rt_detr("rtdetr_r50vd", [3, 4, 6, 3], 6, basic=False),
    "d_fine_n": _d_fine(
        "nano",
        **_SMALL,
        decoder_layers=3,
        levels=2,
        depth_mult=0.5,
        hidden_expansion=0.34,
        d_model=128,
        encoder_hidden_dim=128,
        encoder_ffn_dim=512,
        encode_proj_layers=[1],
        decoder_ffn_dim=512,
        decoder_in_channels=[128, 128],
        decoder_n_points=[6, 6],
        feat_strides=[16, 32],
    ),
    "d_fine_s": _d_fine("small", **_SMALL, decoder_layers=3, depth_mult=0.34, hidden_expansion=0.5),
    "d_fine_m": _d_fine(
        "medium", (24, 32), [96, 384, 768, 1536], [1, 1, 3, 1], 4, 4, affine=True, depth_mult=0.67
    ),
    "d_fine_l": _d_fine("large", (32, 48), [128, 512, 1024, 2048], [1, 1, 3, 1], 6, 6),
    "d_fine_x": _d_fine(
        "xlarge",
        (32, 64),
        [128, 512, 1024, 2048],
        [1, 2, 5, 2],
        6,
        6,
        encoder_hidden_dim=384,
        encoder_ffn_dim=2048,
        decoder_in_channels=[384, 384, 384],
    ),
}
"""By the name that `sightline.models.detector` takes after ``transformers/``."""
