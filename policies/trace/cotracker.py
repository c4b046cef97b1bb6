"""CoTracker3 (offline) by the user's own installation of the package ``cotracker``.

The package's predictor does all the arithmetic; two things are added around it, neither of which changes a track by more
than float32 rounding. An episode's images come back in up to ten calls, so what the encoder (two thirds of a call) makes
of an image is kept. And clips of many episodes are tracked in one call: nothing mixes them, since normalisation is per
image and attention per clip.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from eval.errors import UserError
from policies.trace.trackers import IMAGE_SIDE, Clip, GridTracks, TrackerDescription

WINDOW_LENGTH = 60
"""Images that the offline model was trained on at once."""
SUPPORT_POINTS = 36
"""Points that the predictor adds to each clip's queries."""
ENCODED_AT_ONCE = 16
"""Images."""
TRACKED_AT_ONCE = {"cpu": 1024, "cuda": 4096}
"""Points of all clips of one call, by kind of device: bounds its memory (1 to 2 GB a thousand)."""


def load_cotracker(checkpoint: Path, device: str) -> CoTracker:
    """CoTracker with the weights of a file; nothing but plain tensors is ever read from it."""
    return CoTracker(_read(checkpoint), device, source=str(checkpoint), digest=_digest(checkpoint))


class CoTracker:
    """Tracks with the offline model."""

    name = "cotracker"

    def __init__(self, weights: Mapping[str, Tensor], device: str, *, source: str, digest: str | None = None) -> None:
        """Build the network.

        Args:
            weights: name -> tensor of CoTracker3's offline model.
            device: of PyTorch, e.g. ``cpu`` or ``cuda:0``.
            source: where the weights came from, for the record and for error messages.
            digest: hash of their file, for the record.

        Raises:
            UserError: the device is not there, or these are no weights of the offline model.
        """
        self._device = torch.device(device)
        if self._device.type == "cuda":
            if not torch.cuda.is_available():
                raise UserError(f"The tracker cannot use {device}: PyTorch sees no GPU. Use --device cpu.")
            torch.cuda.init()  # a GPU that is not awake yet could not be kept from being seeded
        self._source, self._digest = source, digest
        self._predictor = _new_predictor()
        network = self._predictor.model
        _check(weights, network.state_dict(), source)
        network.load_state_dict(weights, strict=True)
        self._predictor.to(self._device)
        # From here on the network is given features instead of making them.
        self._encode: Callable[[Tensor], Tensor] = network.fnet.forward
        network.fnet.forward = self._given
        self._given_features: Tensor | None = None
        self._kept: dict[str, dict[int, Tensor]] = {}

    def describe(self) -> TrackerDescription:
        """Weights, device and arithmetic."""
        details: dict[str, JsonValue] = {
            "checkpoint": self._source,
            "device": str(self._device),
            "dtype": "float32, convolutions without TF32",
            "licence": "CC-BY-NC 4.0 (code and weights): no commercial use",
        }
        return TrackerDescription(name=self.name, weights=self._digest, details=details)

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        """The predictor's own grid; all points are usable, since the release ignores visibility."""
        grids = self._track(clips, size * size, lambda part: {"grid_size": size})
        return [GridTracks(tracks, np.ones(tracks.shape[1], dtype=np.bool_)) for tracks in grids]

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Positions in the last image."""
        return [tracks[-1] for tracks in self.point_tracks(clips, queries)]

    def point_tracks(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Positions in every image, (T, N, 2) a clip; ``queries`` as for ``points``."""
        stacked = torch.from_numpy(np.stack(queries)).to(self._device)
        return self._track(clips, stacked.shape[1] + SUPPORT_POINTS, lambda part: {"queries": stacked[part]})

    def forget(self, episode: str) -> None:
        """Drop the features of its images."""
        self._kept.pop(episode, None)

    def features(self, clip: Clip) -> Tensor:
        """The encoder's features of a clip's images, before normalisation: (T, 128, 96, 128) float32."""
        with torch.no_grad(), _float32(self._device):
            self._encode_missing([clip])
            return self._features_of(clip)

    def _track(
        self, clips: Sequence[Clip], points: int, arguments: Callable[[slice], dict[str, Any]]
    ) -> list[NDArray[np.float32]]:
        """Call the predictor for as many clips at once as fit into memory; ``points`` a clip."""
        at_once = max(1, TRACKED_AT_ONCE[self._device.type] // points)
        all_tracks: list[NDArray[np.float32]] = []
        with torch.no_grad(), _float32(self._device):
            self._encode_missing(clips)
            for start in range(0, len(clips), at_once):
                part = slice(start, start + at_once)
                now = clips[part]
                self._given_features = torch.cat([self._features_of(clip) for clip in now])
                # The predictor takes a video; of this one only the shape counts.
                video = torch.zeros((len(now), len(now[0].images), 3, IMAGE_SIDE, IMAGE_SIDE), device=self._device)
                with _ContiguousExpand():
                    tracks, _ = self._predictor(video, **arguments(part))
                all_tracks += list(tracks.cpu().numpy())
        self._given_features = None
        return all_tracks

    def _given(self, video: Tensor) -> Tensor | None:
        return self._given_features

    def _features_of(self, clip: Clip) -> Tensor:
        kept = self._kept[clip.episode]
        return torch.stack([kept[clip.first + i] for i in range(len(clip.images))])

    def _encode_missing(self, clips: Sequence[Clip]) -> None:
        """Encode the images that are new, and drop those that fell out of the clips."""
        missing: list[tuple[dict[int, Tensor], int, NDArray[np.uint8]]] = []
        for clip in clips:
            kept = self._kept.setdefault(clip.episode, {})
            for old in [number for number in kept if number < clip.first]:
                del kept[old]
            numbered = enumerate(clip.images, start=clip.first)
            missing += [(kept, number, image) for number, image in numbered if number not in kept]
        for start in range(0, len(missing), ENCODED_AT_ONCE):
            part = missing[start : start + ENCODED_AT_ONCE]
            video = torch.from_numpy(np.stack([image for _, _, image in part])).to(self._device)
            video = video.permute(0, 3, 1, 2).float()
            size = tuple(self._predictor.interp_shape)
            video = F.interpolate(video, size, mode="bilinear", align_corners=True)
            for (kept, number, _), features in zip(part, self._encode(2 * (video / 255.0) - 1.0), strict=True):
                kept[number] = features.clone()  # a view would keep the whole batch alive


class _ContiguousExpand(TorchFunctionMode):  # type: ignore[misc]
    """Makes ``Tensor.expand`` copy. The package views an expanded tensor, which fails for more than one clip."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        out = func(*args, **(kwargs or {}))
        return out.contiguous() if func is Tensor.expand and isinstance(out, Tensor) else out


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
