"""Reading observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.simpler_api.dropin import rest
from task_configs import robots


def get_image_from_maniskill2_obs_dict(env: Any, obs: dict[str, Any], camera_name: str | None = None) -> NDArray[np.uint8]:  # noqa: ANN401  the original's signature
    """(H, W, 3) image of a camera in an RGB-D observation; by default of the camera that policies look through."""
    name = camera_name or robots()[env.unwrapped.robot_uid].camera.uid
    image: NDArray[np.uint8] = obs["image"][name]["rgb"]
    return image


def __getattr__(name: str) -> Any:  # noqa: ANN401  module attributes have any type
    return rest.attribute("utils.env.observation_utils", name)
