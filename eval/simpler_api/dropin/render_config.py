"""``sapien.core.render_config``: the settings that SAPIEN 2 keeps for the whole process, and SAPIEN 3 does not have."""

from __future__ import annotations

import warnings
from typing import Any

from eval.sim import ray_tracing

SETTINGS: dict[str, Any] = {
    "camera_shader_dir": "ibl",
    "viewer_shader_dir": "ibl",
    "rt_samples_per_pixel": ray_tracing.TRACINGS[ray_tracing.TRACE].samples,
    "rt_max_path_depth": ray_tracing.PATH_DEPTH,
    "rt_use_denoiser": True,
}
"""What the original's environments set, and what is done here wherever rays are traced."""


class RenderConfig:
    """Takes SAPIEN 2's settings. They change nothing: the keyword ``shader_dir``, and ``rt`` of ``make``, say how an
    environment is rendered; a value that differs from what is done gives a warning.
    """

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  settings have several types
        if name not in SETTINGS:
            raise AttributeError(f"SAPIEN 2 setting {name!r} is not known here; known: {', '.join(SETTINGS)}.")
        return SETTINGS[name]

    def __setattr__(self, name: str, value: object) -> None:
        done = getattr(self, name)
        if value != done:
            warnings.warn(
                f"sapien.core.render_config.{name} = {value!r} has no effect, {done!r} it stays; "
                "shader_dir and rt of make say how an environment is rendered (docs/dropin.md).",
                stacklevel=2,
            )
