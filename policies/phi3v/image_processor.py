"""Images to crops: one global view, and a mosaic of 336 x 336 pixel crops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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

    crops: Tensor
    """(N, 3, 336, 336) float32, the distinct crops."""
    crop_rows: Tensor
    """(images, 1 + crops an image) int64, which crops make up an image; the global view first, zeros last."""
    image_sizes: tuple[tuple[int, int], ...]
    """(height, width) of each padded image [pixel], multiples of 336."""

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


def prepare(images: Sequence[ImageArray], settings: ImageSettings = USUAL) -> ImageBatch:
    """What the model needs of ``images``. The same array given twice is worked on once."""
    num_crops = settings.num_crops
    distinct: list[Tensor] = []
    done: dict[int, tuple[list[int], tuple[int, int]]] = {}
    rows, sizes = [], []
    blank: int | None = None
    for image in images:
        if id(image) not in done:
            views, size = _views(image, settings)
            row = list(range(len(distinct), len(distinct) + len(views)))
            distinct += views
            if (len(views), size) == (1, (CROP, CROP)):  # the only crop is the global view as well
                row *= 2
            done[id(image)] = row, size
        row, size = done[id(image)]
        lacking = num_crops + 1 - len(row)
        if lacking and blank is None:
            blank = len(distinct)
            distinct.append(torch.zeros(3, CROP, CROP))
        rows.append(row + [blank or 0] * lacking)
        sizes.append(size)
    crops = torch.stack(distinct) if distinct else torch.zeros(0, 3, CROP, CROP)
    return ImageBatch(crops, torch.tensor(rows, dtype=torch.int64).reshape(-1, num_crops + 1), tuple(sizes))


def _views(image: ImageArray, settings: ImageSettings) -> tuple[list[Tensor], tuple[int, int]]:
    """Global view and crops, row by row; one view alone if both are the same. And (height, width) of the padded image."""
    filled = padded(image, settings.num_crops)
    height, width = filled.shape[:2]
    pixels = torch.from_numpy(filled.copy()).permute(2, 0, 1).float() / 255
    pixels = (pixels - torch.tensor(settings.mean)[:, None, None]) / torch.tensor(settings.std)[:, None, None]
    if (height, width) == (CROP, CROP):  # bicubic resampling to the same size changes nothing
        return [pixels], (CROP, CROP)
    view = F.interpolate(pixels[None], size=(CROP, CROP), mode="bicubic", align_corners=False)[0]
    mosaic = pixels.unflatten(1, (-1, CROP)).unflatten(3, (-1, CROP))  # (3, high, 336, wide, 336)
    crops = mosaic.permute(1, 3, 0, 2, 4).flatten(0, 1)  # (high * wide, 3, 336, 336)
    return [view, *crops], (height, width)
