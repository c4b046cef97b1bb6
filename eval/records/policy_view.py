"""What the policy saw and meant, for the film of an episode.

Read from ``Action.notes``; every key may be missing:
``images`` (``pictures`` before version 0.2) the model's input images, (H, W, 3) uint8 each; ``labels`` one word or two for
each of them;
``values`` the action as the model meant it, before it becomes a robot action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGES = 2
"""That are shown of a step."""


@dataclass(frozen=True)
class Seen:
    """The notes of one step."""

    images: tuple[NDArray[np.uint8], ...] = ()
    """(H, W, 3) each, at most ``IMAGES``."""
    labels: tuple[str, ...] = ()
    """One for each image."""
    values: tuple[float, ...] | None = None


@dataclass(frozen=True)
class PolicyView:
    """The notes of the last steps of an episode; such as cannot be shown cost their step's view and no more."""

    steps: tuple[Seen, ...]
    problems: tuple[str, ...] = ()
    """What of them is not shown, as short texts."""

    @property
    def images(self) -> int:
        """Images that a step has at most."""
        return max((len(seen.images) for seen in self.steps), default=0)

    def at(self, number: int) -> Seen:
        """Of one of the steps; of another one nothing."""
        return self.steps[number] if 0 <= number < len(self.steps) else Seen()


def policy_view(notes: Sequence[Any]) -> PolicyView:
    """What can be shown of the notes of consecutive steps."""
    steps, failed = [], None
    for note in notes:
        try:
            steps.append(seen_of(note))
        except Exception as error:  # code of others made them
            failed = failed or f"Action.notes: {' '.join(str(error)[:1000].split())[:200]}"
            steps.append(Seen())
    if failed is not None:
        return PolicyView(tuple(steps), (failed,))
    if notes and not any(seen.images or seen.values is not None for seen in steps):
        return PolicyView(tuple(steps), ("policy-view: Action.notes holds neither images nor values",))
    most = max((len(_images(note)) for note in notes), default=0)
    more = (f"policy-view: {IMAGES} of {most} images were shown",) if most > IMAGES else ()
    return PolicyView(tuple(steps), more)


def seen_of(notes: object) -> Seen:
    """The notes of one step. Raises ValueError or TypeError for what is something else."""
    if not isinstance(notes, Mapping):
        raise ValueError(f"they are a {type(notes).__name__}, not a mapping with images, labels and values")
    images = tuple(_image(image, f"images[{number}]") for number, image in enumerate(_images(notes)[:IMAGES]))
    given = [str(label) for label in notes.get("labels", ())]
    labels = (*given, *(f"input {number + 1}" for number in range(len(given), len(images))))[: len(images)]
    values = notes.get("values")
    return Seen(images, labels, None if values is None else tuple(map(float, values)))


def _images(notes: Mapping[str, Any]) -> list[object]:
    return list(notes.get("images", notes.get("pictures", ())))


def _image(given: object, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8; integers that fit are taken, too."""
    image = np.asarray(given)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"{name} has shape {image.shape}, not (H, W, 3)")
    if image.dtype != np.uint8 and (image.dtype.kind not in "iu" or image.min() < 0 or image.max() > 255):
        raise ValueError(f"{name} holds {image.dtype} values, not uint8 from 0 to 255")
    return image.astype(np.uint8, copy=False)
