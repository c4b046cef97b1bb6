"""Images to crops: one global view, and a mosaic of 336 x 336 pixel crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from policies.phi3v.camera_transforms import ImageArray
from policies.phi3v.config import CELLS, CROP

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ImageSettings:
    """What of the preparation a checkpoint may set."""

    num_crops: int = 1
    """Crops that an image may fill, besides its global view."""
    mean: tuple[float, ...] = MEAN
    """Of each colour, 0 to 1."""
    std: tuple[float, ...] = STD

    @property
    def most_tokens(self) -> int:
        """Tokens of a square image, which is what the policies show."""
        side = CROP * math.isqrt(self.num_crops)
        return token_count((side, side))


@dataclass(frozen=True)
class ImageBatch:
    """Images as the model takes them; crops that are the same (a small image is its own global view) exist once."""

    views: Tensor
    """The distinct crops: (N, 336, 336, 3) uint8 where none had to be resampled, else (N, 3, 336, 336) float32, normalised."""
    crop_rows: Tensor
    """(images, 1 + crops an image) int64, which crops make up an image; the global view first, zeros last."""
    image_sizes: tuple[tuple[int, int], ...]
    """(height, width) of each padded image [pixel], multiples of 336."""
    settings: ImageSettings

    @property
    def crops(self) -> Tensor:
        """(N, 3, 336, 336) float32, the distinct crops, normalised."""
        return normalised(self.views, self.settings)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens of each image."""
        return tuple(token_count(size) for size in self.image_sizes)

    @property
    def pixel_values(self) -> Tensor:
        """(images, 1 + crops, 3, 336, 336), every crop written out."""
        return self.crops[self.crop_rows]


def token_count(size: tuple[int, int]) -> int:
    """Tokens of an image whose padded size is (height, width) [pixel]; separators included."""
    high, wide = size[0] // CROP, size[1] // CROP
    return CELLS * high * (CELLS * wide + 1) + 1 + CELLS * (CELLS + 1)


USUAL = ImageSettings()


def padded(image: ImageArray, num_crops: int) -> ImageArray:
    """The image enlarged to fill at most ``num_crops`` crops, white above and below: (336 a, 336 b, 3).

    An image that is higher than wide is laid on its side for that.
    """
    height, width = image.shape[:2]
    if width < height:
        return np.ascontiguousarray(padded(image.transpose(1, 0, 2), num_crops).transpose(1, 0, 2))
    if not height:
        raise ValueError("an image has no rows")
    ratio = width / height
    scale = 1
    while (scale + 1) * math.ceil((scale + 1) / ratio) <= num_crops:
        scale += 1
    new_width = CROP * scale
    new_height = int(new_width / ratio)
    if (new_height, new_width) != (height, width):
        small = Image.fromarray(np.ascontiguousarray(image))
        image = np.asarray(small.resize((new_width, max(new_height, 1)), Image.Resampling.BILINEAR))
    lacking = -image.shape[0] % CROP
    above = lacking // 2
    return np.pad(image, ((above, lacking - above), (0, 0), (0, 0)), constant_values=255)


def normalised(views: Tensor, settings: ImageSettings) -> Tensor:
    """(N, 336, 336, 3) uint8 -> (N, 3, 336, 336) float32, on the same device; float32 is returned as it is.

    The 256 values of a colour are worked out once, so every device gives the same bits.
    """
    if views.dtype != torch.uint8:
        return views
    table, offsets = _table(settings, views.device)
    return table[views.int() + offsets].permute(0, 3, 1, 2).contiguous()


@lru_cache(maxsize=8)
def _table(settings: ImageSettings, device: torch.device) -> tuple[Tensor, Tensor]:
    """(3 * 256,) what each value of each colour becomes, and (3,) where a colour begins; bringing them makes a GPU wait."""
    with torch.inference_mode(False):  # they may be made while a policy plays, and serve a training
        table = _normalise(torch.arange(256.0).expand(3, 1, 256), settings).reshape(3 * 256)
        return table.to(device), torch.arange(0, 3 * 256, 256, device=device, dtype=torch.int32)


def _normalise(pixels: Tensor, settings: ImageSettings) -> Tensor:
    """(3, H, W) from 0..255 to the range that the vision tower was trained with."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (settings.mean, settings.std))
    return (pixels / 255 - mean) / std


def prepare(images: Sequence[ImageArray], settings: ImageSettings = USUAL) -> ImageBatch:
    """What the model needs of ``images``. Images with the same pixels are worked on once."""
    num_crops = settings.num_crops
    different: list[ImageArray] = []
    seen: dict[tuple[object, ...], list[int]] = {}
    which = [_place_of(image, different, seen) for image in images]
    filled = [image if (image.shape[:2], num_crops) == ((CROP, CROP), 1) else padded(image, num_crops) for image in different]
    sizes = [(image.shape[0], image.shape[1]) for image in filled]
    if all(size == (CROP, CROP) for size in sizes) and num_crops == 1:  # the only crop is the global view as well
        views = torch.from_numpy(np.stack(filled)) if filled else torch.zeros(0, CROP, CROP, 3, dtype=torch.uint8)
        rows = torch.tensor(which, dtype=torch.int64)[:, None].expand(-1, 2)
        return ImageBatch(views, rows, tuple(sizes[place] for place in which), settings)
    distinct: list[Tensor] = []
    crop_rows: list[list[int]] = []
    blank: int | None = None
    for image in filled:
        views_here = _views(image, settings)
        row = list(range(len(distinct), len(distinct) + len(views_here)))
        distinct += views_here
        if len(row) == 1:
            row *= 2
        lacking = num_crops + 1 - len(row)
        if lacking and blank is None:
            blank = len(distinct)
            distinct.append(torch.zeros(3, CROP, CROP))
        crop_rows.append(row + [blank or 0] * lacking)
    rows = torch.tensor(crop_rows, dtype=torch.int64)[which]
    return ImageBatch(torch.stack(distinct), rows, tuple(sizes[place] for place in which), settings)


def _place_of(image: ImageArray, distinct: list[ImageArray], seen: dict[tuple[object, ...], list[int]]) -> int:
    """Index of the image among those that differ; a new one is added."""
    key = (image.shape, np.ascontiguousarray(image[::24, ::24]).tobytes())  # a few pixels tell most images apart
    alike = seen.setdefault(key, [])
    for place in alike:
        if distinct[place] is image or np.array_equal(distinct[place], image):
            return place
    alike.append(len(distinct))
    distinct.append(image)
    return alike[-1]


def _views(filled: ImageArray, settings: ImageSettings) -> list[Tensor]:
    """Global view and crops of a padded image, row by row; one view alone if both are the same."""
    pixels = _normalise(torch.from_numpy(filled.copy()).permute(2, 0, 1).float(), settings)
    if filled.shape[:2] == (CROP, CROP):  # bicubic resampling to the same size changes nothing
        return [pixels]
    view = F.interpolate(pixels[None], size=(CROP, CROP), mode="bicubic", align_corners=False)[0]
    mosaic = pixels.unflatten(1, (-1, CROP)).unflatten(3, (-1, CROP))  # (3, high, 336, wide, 336)
    crops = mosaic.permute(1, 3, 0, 2, 4).flatten(0, 1)  # (high * wide, 3, 336, 336)
    return [view, *crops]
