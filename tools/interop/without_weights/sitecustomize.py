"""Python reads this first where its folder is on the path. It stands for CogACT's package, from which a server of vla-eval
loads its model, and for what that server asks PyTorch before. Chunks of actions follow from the colours of the picture.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import numpy as np

WINDOW = 16


class Model:
    """Answers as the model does, and refuses pictures and statistics that CogACT's own client would not have sent."""

    def to(self, device: object) -> Self:
        """It is nowhere."""
        del device
        return self

    def eval(self) -> Self:
        """It does not learn."""
        return self

    def predict_action(self, image: Any, prompt: str, unnorm_key: str, **_: object) -> tuple[np.ndarray[Any, Any], None]:  # noqa: ANN401
        """(16, 7), the next actions."""
        if image.size != (224, 224) or unnorm_key != "bridge_orig" or not prompt:
            raise ValueError(f"{image.size}, {unnorm_key}, {prompt!r}")
        means = np.asarray(image).reshape(-1, 3).mean(axis=0) / 255.0
        motion = (means - 0.5) / 50
        ahead = np.arange(WINDOW)[:, None] / 1000
        actions = np.tile([*motion, *motion, float(means[0] > 0.5)], (WINDOW, 1))
        return actions + ahead * [1, 1, 1, 1, 1, 1, 0], None


def load_vla(path: str, **_: object) -> Model:
    """Whatever ``path`` is."""
    del path
    return Model()


vla, torch = ModuleType("vla"), ModuleType("torch")
vars(vla)["load_vla"] = load_vla
vars(torch).update(device=str, cuda=SimpleNamespace(is_available=lambda: False))
sys.modules |= {"vla": vla, "torch": torch}
