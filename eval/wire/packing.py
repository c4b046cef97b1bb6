"""MessagePack with NumPy arrays in it, as vla-eval (0.8.0) and openpi (openpi-client 0.1.2) write them.

Both send an array as a map that holds its bytes, its dtype (``numpy.dtype.str``, such as ``<f4``) and its shape; they differ in
the type of the map's keys and in what else they mark. Known from the wire of the released packages, against which it is tested.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eval.wire.errors import WireError

ImageFormat = Literal["raw", "png", "jpeg"]

LARGEST = 64 * 2**20
"""Bytes of a message; an uncompressed camera image is 1 MB."""
LARGEST_IMAGE = 4096
"""Pixels of a side."""
LONGEST = 10_000
"""Entries of a list or map: its memory is taken before they are read."""
JPEG_QUALITY = 95
"""As vla-eval has it."""
PNG_LEVEL = 1
"""Of zlib: a quarter of the time of Pillow's usual 6 for a third more bytes (camera image of a scene), the same pixels."""
NUMBERS, TEXTS = "biuf", "US"
"""Kinds of dtype."""
_DTYPE = re.compile(r"[<>|=]?([biufUS])(\d{1,6})")
_DIMENSIONS = 8


@dataclass(frozen=True)
class Dialect:
    """How arrays are marked."""

    array: str | bytes
    data: str | bytes
    dtype: str | bytes
    shape: str | bytes
    scalar: str | bytes | None = None
    """Marks a NumPy scalar; None: it becomes a plain number."""
    image: str | None = None
    """Marks a picture, which may be compressed; None: there is no such thing."""
    kinds: str = NUMBERS
    """Kinds of dtype that are read; objects, structures and complex numbers never are."""


VLA_EVAL = Dialect("__ndarray__", "data", "dtype", "shape", image="__image__")
OPENPI = Dialect(b"__ndarray__", b"data", b"dtype", b"shape", scalar=b"__npgeneric__", kinds=NUMBERS + TEXTS)


def pack(value: object, dialect: Dialect, image_format: ImageFormat = "raw") -> bytes:
    """A value of maps, lists, texts, numbers and arrays as a message.

    ``image_format`` is for pictures (H, W, 1 | 3 | 4) uint8 where the dialect marks them; ``raw`` sends them as any array.

    Raises WireError for what the dialect cannot say.
    """
    import msgpack

    def say(entry: object) -> object:
        if isinstance(entry, np.ndarray):
            return _array_map(entry, dialect, image_format)
        if isinstance(entry, np.generic):
            return _scalar_map(entry, dialect)
        if isinstance(entry, Mapping):
            return dict(entry)
        raise WireError(f"a {type(entry).__name__} cannot be sent")

    try:
        packed: bytes = msgpack.packb(value, default=say, use_bin_type=True)
    except WireError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise WireError(f"it cannot be sent: {type(error).__name__}") from error
    return packed


def unpack(data: object, dialect: Dialect, largest: int = LARGEST) -> object:
    """A message as a value. Arrays and bytes are copies of their own; arrays can be written.

    Raises WireError, one line that quotes nothing of the message, whatever it holds.
    """
    import msgpack

    if not isinstance(data, bytes | bytearray | memoryview):
        raise WireError("it is text where bytes were expected" if isinstance(data, str) else f"it is a {type(data).__name__}")
    if len(data) > largest:
        raise WireError(f"it has {len(data) / 2**20:.1f} MB, more than {largest / 2**20:g}")

    def read(entry: dict[Any, Any]) -> object:
        if dialect.image is not None and dialect.image in entry:
            return _read_image(entry)
        if dialect.array in entry:
            return array_of(entry.get(dialect.data), entry.get(dialect.dtype), entry.get(dialect.shape), dialect.kinds)
        if dialect.scalar is not None and dialect.scalar in entry:
            return _read_scalar(entry, dialect)
        return entry

    try:
        return msgpack.unpackb(
            data, object_hook=read, raw=False, max_array_len=LONGEST, max_map_len=LONGEST, max_ext_len=0
        )  # fmt: skip
    except WireError:
        raise
    except Exception as error:  # msgpack's own are of several unrelated classes
        raise WireError(f"it is no MessagePack ({type(error).__name__})") from error


def array_of(data: object, dtype: object, shape: object, kinds: str) -> np.ndarray[Any, Any]:
    """The array of these bytes, a copy of its own. Raises WireError unless all three fit together."""
    entries, sizes = _dtype(dtype, kinds), _shape(shape)
    if not isinstance(data, bytes) or math.prod(sizes) * entries.itemsize != len(data):
        raise WireError(f"an array of shape {sizes} has not as many bytes as that")
    return np.frombuffer(data, entries).reshape(sizes).copy()


def numbers_of(value: object, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """An array, list or number as float64. Raises WireError for texts, objects, ragged lists and NaN or infinite numbers."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise WireError(f"{what} cannot be read as numbers") from error
    if array.dtype.kind not in NUMBERS:
        shown = f"a {type(value).__name__}" if not isinstance(value, np.ndarray) else f"an array of {array.dtype.name}"
        raise WireError(f"{what} is {shown}, not numbers")
    floats = array.astype(np.float64)
    if not np.isfinite(floats).all():
        raise WireError(f"{what} is not finite: {np.array2string(floats.ravel()[:7], precision=4, separator=', ')}")
    return floats


def _array_map(array: np.ndarray[Any, Any], dialect: Dialect, image_format: ImageFormat) -> dict[str | bytes, object]:
    if array.dtype.kind not in dialect.kinds:
        raise WireError(f"an array of {array.dtype.name} cannot be sent")
    if dialect.image is not None and image_format != "raw" and _is_image(array.shape, array.dtype):
        return {dialect.image: True, "format": image_format, "data": _compressed(array, image_format), "shape": [*array.shape]}
    return {
        dialect.array: True,
        dialect.data: _bytes_of(array),
        dialect.dtype: array.dtype.str,
        dialect.shape: [*array.shape],
    }


def _bytes_of(array: np.ndarray[Any, Any]) -> bytes | memoryview:
    """In C order; of a whole picture without a copy."""
    return (
        memoryview(array.data).cast("B")
        if array.flags.c_contiguous and array.size and array.dtype == np.uint8
        else array.tobytes()
    )


def _scalar_map(scalar: np.generic, dialect: Dialect) -> object:
    if scalar.dtype.kind not in dialect.kinds:
        raise WireError(f"a {scalar.dtype.name} cannot be sent")
    if dialect.scalar is None:
        return scalar.item()
    return {dialect.scalar: True, dialect.data: scalar.item(), dialect.dtype: scalar.dtype.str}


def _read_scalar(entry: Mapping[Any, Any], dialect: Dialect) -> object:
    dtype, value = _dtype(entry.get(dialect.dtype), dialect.kinds), entry.get(dialect.data)
    if isinstance(value, bool | int | float | str | bytes):
        try:
            return dtype.type(value).item()
        except (ValueError, TypeError, OverflowError) as error:
            raise WireError(f"a number cannot be read as {dtype.name}") from error
    raise WireError(f"a NumPy scalar holds a {type(value).__name__}")


def _read_image(entry: Mapping[Any, Any]) -> np.ndarray[Any, Any]:
    shape, kind, data = _shape(entry.get("shape")), entry.get("format"), entry.get("data")
    if not _is_image(shape, np.dtype(np.uint8)) or max(shape) > LARGEST_IMAGE:
        raise WireError(f"an image has the shape {shape}; it must be (H, W, 1, 3 or 4), {LARGEST_IMAGE} pixels a side at most")
    if not isinstance(data, bytes):
        raise WireError("an image has no bytes")
    if kind == "raw":
        if _dtype(entry.get("dtype", "|u1"), "u").itemsize != 1 or len(data) != math.prod(shape):
            raise WireError(f"an image of shape {shape} has not as many bytes as that")
        return np.frombuffer(data, np.uint8).reshape(shape).copy()
    if kind not in ("png", "jpeg"):
        raise WireError("an image is neither raw nor PNG nor JPEG")
    return _decompressed(data, kind, shape)


def _compressed(image: np.ndarray[Any, Any], kind: Literal["png", "jpeg"]) -> bytes:
    from PIL import Image

    if kind == "jpeg" and image.shape[2] != 3:
        raise WireError(f"an image of {image.shape[2]} channels cannot be sent as JPEG")
    buffer = io.BytesIO()
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.save(buffer, kind.upper(), **({"quality": JPEG_QUALITY} if kind == "jpeg" else {"compress_level": PNG_LEVEL}))
    return buffer.getvalue()


def _decompressed(data: bytes, kind: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The size in the file's header is compared with the one announced before a pixel is read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[kind.upper()]) as picture:
            if picture.size == (shape[1], shape[0]) and len(picture.getbands()) == shape[2]:
                pixels = np.array(picture)
                if pixels.dtype == np.uint8:
                    return pixels.reshape(shape)
    except Exception as error:  # Pillow's readers raise whatever a damaged file makes them
        raise WireError(f"an image is no readable {kind.upper()}") from error
    raise WireError(f"an image is not of the size and kind that is announced, {shape} uint8")


def _is_image(shape: Sequence[int], dtype: np.dtype[Any]) -> bool:
    return len(shape) == 3 and shape[2] in (1, 3, 4) and dtype == np.uint8 and shape[0] > 0 and shape[1] > 0


def _dtype(text: object, kinds: str) -> np.dtype[Any]:
    """The dtype of a short plain text: NumPy would read whole structures and sub-arrays of a longer one."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    match = _DTYPE.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1] not in kinds:
        raise WireError("an array is of a dtype that is not read; only truth values, integers and floats are")
    try:
        dtype = np.dtype(match[0])
    except TypeError as error:
        raise WireError("an array is of a dtype that does not exist") from error
    if not dtype.itemsize:
        raise WireError("an array is of entries without a size")
    return dtype


def _shape(value: object) -> tuple[int, ...]:
    fits = isinstance(value, list | tuple) and len(value) <= _DIMENSIONS
    if fits and all(type(size) is int and 0 <= size <= LARGEST for size in value):  # type: ignore[attr-defined]
        return tuple(value)  # type: ignore[arg-type]
    raise WireError("an array has no shape")
