"""Where a sample comes from and how it was taken. Every field may be unknown (None)."""

from dataclasses import dataclass

# All times are ISO 8601 text.


@dataclass(slots=True)
class License:
    """The terms under which an image may be used."""

    name: str | None = None
    name_short: str | None = None
    url: str | None = None
    description: str | None = None
    valid_date: str | None = None
    permissions: list[str] | None = None
    liability: str | None = None
    location: str | None = None
    notes: str | None = None


@dataclass(slots=True)
class Attribution:
    """Credit to who made the image, and its licences."""

    title: str | None = None
    creator: str | None = None
    creator_url: str | None = None
    date_captured: str | None = None
    copyright_notice: str | None = None
    licenses: list[License] | None = None
    disclaimer: str | None = None
    changes: str | None = None
    source_url: str | None = None


@dataclass(slots=True)
class VideoInfo:
    """The recording that a frame was taken from."""

    name: str | None = None
    description: str | None = None
    captured_at: str | None = None
    downloaded_at: str | None = None
    duration_seconds: float | None = None
    frame_rate: float | None = None
    total_frames: int | None = None
    resolution_width: int | None = None
    resolution_height: int | None = None
    aspect_ratio: float | None = None
    codec: str | None = None
    container_format: str | None = None
    bit_rate_kbps: float | None = None
    color_space: str | None = None
    rotation_degrees: int | None = None


@dataclass(slots=True)
class CameraInfo:
    """The camera and its settings."""

    id: str | None = None
    name: str | None = None
    make: str | None = None
    model: str | None = None
    lens: str | None = None
    focal_length_mm: float | None = None
    aperture_f_number: float | None = None
    iso: int | None = None
    exposure_time_seconds: float | None = None
    white_balance: str | None = None
    color_space: str | None = None
    metering_mode: str | None = None
    flash: bool | None = None


@dataclass(slots=True)
class Position:
    """Where the camera was: WGS 84 degrees (latitude -90..90, longitude -180..180) and metres."""

    latitude: float | None = None
    longitude: float | None = None
    altitude_meters: float | None = None
    height_above_ground_meters: float | None = None


@dataclass(slots=True)
class Orientation:
    """Where the camera looked, in degrees: heading clockwise from north, pitch up, roll clockwise."""

    heading_degrees: float | None = None
    pitch_degrees: float | None = None
    roll_degrees: float | None = None
    yaw_degrees: float | None = None
