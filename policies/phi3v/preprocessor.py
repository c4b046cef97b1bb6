"""How a checkpoint wants its images prepared: its ``preprocessor_config.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.errors import UserError
from policies.phi3v.config import CELLS, CROP, MOST_CROPS, check_crops, read_json
from policies.phi3v.image_processor import MEAN, STD, ImageSettings

FILE = "preprocessor_config.json"
STOCK_CROPS = 16
"""``num_crops`` of Phi-3-vision's own file. The released policies leave it there and play with 1."""

_SIDE = (CROP, {"height": CROP, "width": CROP}, {"shortest_edge": CROP}, {"longest_edge": CROP}, None)
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "size": _SIDE,
    "crop_size": _SIDE,
    "num_img_tokens": (CELLS**2,),
    "do_convert_rgb": (True, None),
    "do_rescale": (True, None),
    "rescale_factor": (1 / 255, None),
    "do_normalize": (True, None),
    "do_resize": (True, None),
    "do_pad": (True, None),
    "do_hd_transform": (True, None),
    "do_center_crop": (False, None),
    "resample": (2, None),
    "image_processor_type": ("Phi3VImageProcessor", "Phi3VImageProcessorFast", None),
}
"""Key -> the values that mean what is done here."""
_WITHOUT_EFFECT = {
    "auto_map", "processor_class", "feature_extractor_type", "data_format", "input_data_format", "return_tensors", "device",
    "disable_grouping", "_name_or_path", "transformers_version",
}  # fmt: skip


def read_image_settings(folder: Path, num_crops: str | int | None = None) -> ImageSettings:
    """What is done to images for this checkpoint; newer processors keep it as ``image_processor`` in ``processor_config.json``.

    Args:
        folder: of the checkpoint.
        num_crops: as the user set it; None: as the folder says, or 1 where it says what Phi-3-vision's own file does.

    Returns:
        Crops, mean and standard deviation.

    Raises:
        UserError: the folder asks for something that is not done here.
    """
    places = _places(folder)
    found = [_settings(place, content) for place, content in places]
    if len(set(found)) > 1:
        raise UserError(f"{places[0][0]} and {places[1][0]} contradict each other; delete one of them.")
    settings = found[0] if found else ImageSettings()
    if num_crops is None:
        return settings
    return ImageSettings(check_crops(num_crops), settings.mean, settings.std)


def unknown_image_keys(folder: Path) -> list[str]:
    """Keys of these files that are neither read nor known to be without effect."""
    known = {*_FIXED, *_WITHOUT_EFFECT, "num_crops", "image_mean", "image_std"}
    return [
        f"{Path(place).name} {key}"
        for place, content in _places(folder)
        for key, value in content.items()
        if key not in known and value is not None
    ]


def _places(folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """File and content, of all that there are."""
    places: list[tuple[str, Mapping[str, Any]]] = []
    if (folder / FILE).exists():
        places.append((str(folder / FILE), read_json(folder / FILE)))
    if (folder / "processor_config.json").exists():
        inner = read_json(folder / "processor_config.json").get("image_processor")
        if isinstance(inner, Mapping):
            places.append((str(folder / "processor_config.json"), inner))
    return places


def _settings(place: str, content: Mapping[str, Any]) -> ImageSettings:
    for key, value in content.items():
        if key in _FIXED and value not in _FIXED[key]:
            raise UserError(f"{place}: {key} {json.dumps(value)[:60]} is not supported, only {json.dumps(_FIXED[key][0])}.")
    crops = content.get("num_crops", 1)
    if not isinstance(crops, int) or isinstance(crops, bool) or not 1 <= crops <= MOST_CROPS:
        raise UserError(f"{place}: num_crops {json.dumps(crops)[:60]} is not possible; it must be 1 to {MOST_CROPS}.")
    mean, std = _colours(place, content, "image_mean", MEAN), _colours(place, content, "image_std", STD)
    if not min(std) > 0:
        raise UserError(f"{place}: image_std must be above 0.")
    return ImageSettings(1 if crops == STOCK_CROPS else crops, mean, std)


def _colours(place: str, content: Mapping[str, Any], key: str, usual: tuple[float, ...]) -> tuple[float, ...]:
    values = content.get(key, usual)
    numbers = isinstance(values, list | tuple) and all(isinstance(x, int | float) and math.isfinite(x) for x in values)
    if not numbers or len(values) != 3:
        raise UserError(f"{place}: {key} must be 3 finite numbers, one a colour.")
    return tuple(float(x) for x in values)
