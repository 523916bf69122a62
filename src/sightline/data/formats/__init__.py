"""The formats of other programs: each a module that reads it into a `Dataset` and writes it."""

from sightline.data.formats import (
    coco,
    huggingface,
    image_folder,
    mask_folder,
    native,
    tables,
    torchvision,
    tracked_objects,
    video,
    voc,
    voc_layout,
    voc_writing,
    yolo,
    yolo_layout,
)
from sightline.data.formats.registry import Format

FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "sightline",
            "Sightline's own folders, also those of the hafnia package",
            native.read_sightline,
            native.write_sightline,
            native.is_sightline,
        ),
        Format(
            "coco",
            "COCO: boxes, polygons and masks as JSON, in the layout of COCO, Roboflow or FiftyOne",
            coco.read_coco,
            coco.write_coco,
            coco.is_coco,
        ),
        Format(
            "yolo",
            "YOLO: a text file of boxes or outlines per image, in the layout of Ultralytics or darknet",
            yolo.read_yolo,
            yolo.write_yolo,
            yolo_layout.is_yolo,
        ),
        Format(
            "voc",
            "Pascal VOC: an XML file of boxes per image, and masks as PNG",
            voc.read_voc,
            voc_writing.write_voc,
            voc_layout.is_voc,
        ),
        Format(
            "image_folder",
            "a folder of images per class",
            image_folder.read_image_folder,
            image_folder.write_image_folder,
            image_folder.is_image_folder,
            generic=True,
        ),
        Format(
            "table",
            "a CSV or Parquet table, a row per annotation",
            tables.read_table,
            tables.write_table,
            tables.is_table,
        ),
        Format(
            "torchvision",
            "datasets that torchvision has downloaded (MNIST, CIFAR, STL-10), or its dataset objects",
            torchvision.read_torchvision,
            None,
            torchvision.is_torchvision,
        ),
        Format(
            "huggingface",
            "Hugging Face datasets, as objects, on disk or on the hub",
            huggingface.read_huggingface,
            huggingface.write_huggingface,
            huggingface.is_huggingface,
        ),
        Format(
            "mask_folder",
            "folders of images (x) and label maps (y), as for semantic segmentation from the air",
            mask_folder.read_mask_folder,
            mask_folder.write_mask_folder,
            mask_folder.is_mask_folder,
        ),
        Format(
            "tracked_objects",
            "a folder of frames per video, with the boxes of one object as JSON",
            tracked_objects.read_tracked_objects,
            tracked_objects.write_tracked_objects,
            tracked_objects.is_tracked_objects,
        ),
        Format(
            "videos",
            "video files, each with the boxes of one object as JSON, or without",
            video.read_videos,
            video.write_videos,
            video.is_videos,
        ),
    )
}
"""Every format by name. ``Dataset.from_<name>`` reads and ``Dataset.to_<name>`` writes it."""
