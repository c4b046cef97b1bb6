"""CoTracker3 (offline) by the user's own installation of the package ``cotracker``.

The package has the network's learned parts; what calls them is ours, and changes no track by more than float32 rounding
(docs/trace.md has the numbers). Each image is encoded once, clips of many episodes are tracked in one call (nothing mixes
them: normalisation is per image and attention per clip), and on a GPU calls are replayed and products use tensor cores.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn

from eval.errors import UserError
from policies.trace import three_products
from policies.trace.cotracker_features import KeptFeatures
from policies.trace.cotracker_updates import Updates, attend_fused, multiply_split
from policies.trace.cuda_graphs import Replayed
from policies.trace.trackers import IMAGE_SIDE, Clip, GridTracks, TrackerDescription

WINDOW_LENGTH = 60
"""Images that the offline model was trained on at once."""
MARGIN = 8
"""Pixels of the encoder's picture between its edge and the grids."""
SUPPORT = 6
"""A grid of 6 x 6 points that the release adds to each clip's queries."""
POINTS_AT_ONCE = 1024
"""Points of all clips of one call, unless a single clip has more: bounds its memory (up to 2 GB)."""
CLIPS_FIXED = {"cpu": 1, "cuda": 8}
"""Clips of every point call where shapes are fixed, by kind of device."""


def load_cotracker(checkpoint: Path, device: str, *, fast: bool = True, fixed_shapes: bool = False) -> CoTracker:
    """CoTracker with the weights of a file; nothing but plain tensors is ever read from it."""
    weights, digest = _read(checkpoint), _digest(checkpoint)
    return CoTracker(weights, device, source=str(checkpoint), digest=digest, fast=fast, fixed_shapes=fixed_shapes)


class CoTracker:
    """Tracks with the offline model."""

    name = "cotracker"
    one_by_one = False

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        device: str,
        *,
        source: str,
        digest: str | None = None,
        fast: bool = True,
        fixed_shapes: bool = False,
    ) -> None:
        """Build the network.

        Args:
            weights: name -> tensor of CoTracker3's offline model.
            device: of PyTorch, e.g. ``cpu`` or ``cuda:0``.
            source: where the weights came from, for the record and for error messages.
            digest: hash of their file, for the record.
            fast: on a GPU, replay calls and multiply on tensor cores; else in float32 throughout. No effect on the CPU.
            fixed_shapes: always calls of the same shape, so that a track does not depend on what is tracked beside it, not
                even by rounding. Slower where few episodes wait.

        Raises:
            UserError: the device is not there, or these are no weights of the offline model.
        """
        self._device = torch.device(device)
        if self._device.type == "cuda":
            if not torch.cuda.is_available():
                raise UserError(f"The tracker cannot use {device}: PyTorch sees no GPU. Use --device cpu.")
            torch.cuda.init()  # a GPU that is not awake yet could not be kept from being seeded
        self._source, self._digest = source, digest
        self._fixed = fixed_shapes
        self.points_at_once = POINTS_AT_ONCE
        """Points of all clips of one call; becomes smaller where memory is short."""
        predictor = _new_predictor()
        network = predictor.model
        _check(weights, network.state_dict(), source)
        network.load_state_dict(weights, strict=True)
        network.to(self._device).requires_grad_(requires_grad=False)
        attend_fused(network.updateformer)
        self._size: tuple[int, int] = tuple(predictor.interp_shape)
        updates = Updates(network).to(self._device)
        self._without_tensor_cores = three_products.why_not(self._device) if fast else "float32 was asked for"
        self._without_kernel: str | None = None
        if self._without_tensor_cores is None:
            split, self._without_kernel = _best_split(self._device)
            multiply_split(updates, split)
        self._features = KeptFeatures(network.fnet, self._size, self._device, fixed_shapes=fixed_shapes)
        self._replayed = Replayed(lambda places, queries: updates(self._features.levels, places, queries), self._device)
        if not fast:
            self._replayed.failure = "float32 was asked for"

    def describe(self) -> TrackerDescription:
        """Weights, device and arithmetic."""
        products = "bfloat16 products, three for each of float32" if self._without_tensor_cores is None else "float32"
        details: dict[str, JsonValue] = {
            "checkpoint": self._source,
            "device": str(self._device),
            "dtype": f"float32, convolutions without TF32; linear layers: {products}",
            "licence": "CC-BY-NC 4.0 (code and weights): no commercial use",
        }
        if self._device.type == "cuda" and self._without_tensor_cores is not None:
            details["no_tensor_cores"] = self._without_tensor_cores
        if self._without_kernel is not None:
            details["no_kernel"] = self._without_kernel
        if self._device.type == "cuda" and self._replayed.failure is not None:
            details["no_cuda_graphs"] = self._replayed.failure
        if self.points_at_once != POINTS_AT_ONCE:
            details["points_at_once"] = self.points_at_once  # memory was short
        return TrackerDescription(name=self.name, weights=self._digest, details=details)

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """The release's own grid; all points are usable, since it ignores visibility."""
        queries = _grid(size, self._size)
        tracks = self._track(clips, np.broadcast_to(queries, (len(clips), *queries.shape)), fixed=1)
        return [GridTracks(each, np.ones(each.shape[1], dtype=np.bool_)) for each in tracks]

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Positions in the last image."""
        return [tracks[-1] for tracks in self.point_tracks(clips, queries)]

    def point_tracks(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Positions in every image, (T, N, 2) a clip; ``queries`` as for ``points``."""
        own = np.stack(queries)
        own[..., 1:] *= self._stretch
        support = _grid(SUPPORT, self._size)
        both = np.concatenate([own, np.broadcast_to(support, (len(clips), *support.shape))], axis=1)
        return [tracks[:, : own.shape[1]] for tracks in self._track(clips, both, fixed=CLIPS_FIXED[self._device.type])]

    def forget(self, episode: str) -> None:
        """Drop the features of its images."""
        self._features.forget(episode)

    @property
    def kept(self) -> dict[str, int]:
        """Number of images of each episode whose features are kept."""
        return self._features.episodes

    def features(self, clip: Clip) -> Tensor:
        """The encoder's features of a clip's images, before normalisation: (T, 128, 96, 128) float32."""
        with torch.no_grad(), _float32(self._device):
            return self._features.encode(clip.images)

    @property
    def _stretch(self) -> NDArray[np.float32]:
        """Pixels of the encoder's picture for one of the images, x and y; corners lie on corners."""
        high, wide = self._size
        return np.array([(wide - 1) / (IMAGE_SIDE - 1), (high - 1) / (IMAGE_SIDE - 1)], dtype=np.float32)

    def _track(self, clips: Sequence[Clip], queries: NDArray[np.float32], fixed: int) -> list[NDArray[np.float32]]:
        """Tracks (T, N, 2) of queries (clips, N, 3) in the encoder's picture; ``fixed``: clips a call, if shapes are fixed."""
        found: list[NDArray[np.float32]] = []
        done = 0
        with torch.no_grad(), _float32(self._device):
            before = self._features.levels[0]
            places = self._features.places(clips)
            if self._features.levels[0] is not before:
                self._replayed.clear()
            while done < len(clips):
                at_once = fixed if self._fixed else max(1, self.points_at_once // queries.shape[1])
                part = slice(done, done + at_once)
                try:
                    found.append(self._call(places[part], queries[part], fixed if self._fixed else None))
                except torch.cuda.OutOfMemoryError:
                    if self._fixed or len(places[part]) == 1:
                        raise
                    self._replayed.clear()
                    torch.cuda.empty_cache()
                    self.points_at_once = queries.shape[1] * (len(places[part]) // 2)
                else:
                    done += len(places[part])
        tracks = np.concatenate(found).transpose(0, 2, 1, 3)
        clip, point = np.ogrid[: len(queries), : queries.shape[1]]
        tracks[clip, queries[..., 0].astype(np.int64), point] = queries[..., 1:]  # where a point was asked for, it is
        tracks /= self._stretch
        return list(tracks)

    def _call(self, places: NDArray[np.int64], queries: NDArray[np.float32], clips: int | None) -> NDArray[np.float32]:
        """(clips, N, T, 2); filled up to ``clips``, or to a usual number, by repetition."""
        now = len(places)
        rows = np.resize(np.arange(now), clips or _usual_size(now, self._device))
        given = (torch.from_numpy(array[rows]).to(self._device) for array in (places, queries))
        made: NDArray[np.float32] = self._replayed(*given)[:now].cpu().numpy()
        return made


def _best_split(device: torch.device) -> tuple[three_products.Split, str | None]:
    """By kernel where Triton works, else step by step, and why."""
    try:
        from policies.trace import split_kernel
    except ImportError as error:
        return three_products.split_rows, str(error)
    why = split_kernel.why_not(device)
    return (split_kernel.split_by_kernel, None) if why is None else (three_products.split_rows, why)


def _usual_size(clips: int, device: torch.device) -> int:
    """Clips of a call: few different numbers, as each is recorded by itself."""
    if device.type != "cuda":
        return clips
    step = 1 if clips <= 4 else 2 if clips <= 16 else 4
    return -(-clips // step) * step


def _grid(size: int, picture: tuple[int, int]) -> NDArray[np.float32]:
    """(size * size, 3) queries in the first image, row by row, in pixels of the encoder's picture (height, width)."""
    y, x = (np.linspace(MARGIN, side - MARGIN, size, dtype=np.float32) for side in picture)
    across, down = np.meshgrid(x, y)
    return np.stack([np.zeros_like(across), across, down], axis=-1).reshape(-1, 3)


@contextlib.contextmanager
def _untouched_randomness() -> Iterator[None]:
    """Importing the package seeds torch with 0, and building a network takes random numbers: both are undone here."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        yield


@contextlib.contextmanager
def _float32(device: torch.device) -> Iterator[None]:
    """Convolutions in full float32, so that a GPU's tracks are a CPU's but for rounding."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _new_predictor() -> nn.Module:
    """The offline predictor with fresh weights. The online model would load the same file silently: never that."""
    with _untouched_randomness():
        try:
            from cotracker.predictor import CoTrackerPredictor
        except ImportError as error:
            raise UserError(
                f"The package cotracker cannot be imported: {error}. Install it again: "
                "pip install git+https://github.com/facebookresearch/co-tracker"
            ) from error
        return CoTrackerPredictor(checkpoint=None, offline=True, window_len=WINDOW_LENGTH)


def template() -> Mapping[str, Tensor]:
    """Name -> tensor of the shape and type that the offline model's weights must have."""
    weights: Mapping[str, Tensor] = _new_predictor().model.state_dict()
    return weights


def _read(path: Path) -> Mapping[str, Tensor]:
    """The state dict of a file: a flat one, or one under the key ``model``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken or hostile file makes torch raise, the user wants one line
        raise UserError(
            f"{path} is not a plain state dict: PyTorch cannot read it with weights_only=True ({type(error).__name__}). "
            "Give CoTracker's own scaled_offline.pth."
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    tensors = content.values() if isinstance(content, Mapping) else ()
    if not tensors or not all(isinstance(value, torch.Tensor) for value in tensors):
        raise UserError(f"{path} is not a plain state dict: it must map names to tensors. Give CoTracker's scaled_offline.pth.")
    weights: Mapping[str, Tensor] = content
    return weights


def _check(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str) -> None:
    """Names, shapes and types of the tensors, and the time embedding's values, before anything is loaded."""
    said = "It is not the offline model of CoTracker3 (scaled_offline.pth)."
    for name in sorted(expected):
        if name not in weights:
            raise UserError(f"{source} lacks {name}. {said}")
    for name in sorted(weights):
        if name not in expected:
            raise UserError(f"{source} has an unexpected {name}. {said}")
        given, model = weights[name], expected[name]
        if given.shape != model.shape or given.dtype != model.dtype:
            raise UserError(
                f"{source}: {name} is {tuple(given.shape)} {given.dtype}, not {tuple(model.shape)} {model.dtype}. {said}"
            )
        if given.is_floating_point() and not torch.isfinite(given).all():
            raise UserError(f"{source}: {name} holds numbers that are NaN or infinite; the file is broken.")
    if not torch.allclose(weights["time_emb"], expected["time_emb"], atol=1e-4):
        raise UserError(f"{source}: time_emb does not hold the sines and cosines that it should. {said}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
