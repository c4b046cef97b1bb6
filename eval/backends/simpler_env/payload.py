"""What a ``Begin`` carries to a worker of the original."""

from __future__ import annotations

import json

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.sim import ray_tracing
from eval.simpler_api.names import ENVIRONMENT_MAP


def episode_payload(spec: EpisodeSpec, rendering: ray_tracing.Choice | None = None, render_device: str | None = None) -> str:
    """JSON text: how to build and reset the environment, and what the privileged state is to name.

    ``rendering`` is how ray-traced episodes are rendered; None leaves it to the original, whose denoiser needs NVIDIA's OptiX.
    ``render_device`` is what renders, in its SAPIEN's words; None leaves that to it, too.
    Raises UserError for an episode that the original does not have.
    """
    reset = spec.simpler_reset
    if reset is None:
        if spec.task not in ENVIRONMENT_MAP:
            raise UserError(f"The original simulator has no task {spec.task}; play it in our own world, without --world.")
        raise UserError(
            f"The original simulator has no way to play {spec.task} {spec.setting} {spec.variant} #{spec.index}; "
            "play it in our own world, without --world."
        )
    kwargs = dict(reset.kwargs)
    if spec.shader == "rt" and rendering == ray_tracing.RASTER:
        kwargs["shader_dir"] = "ibl"
    elif spec.shader == "rt" and rendering not in (None, f"{ray_tracing.TRACE}:optix"):
        kwargs["render_config"] = {"rt_use_denoiser": False}
    if render_device is not None:
        kwargs["renderer_kwargs"] = {"device": render_device}
    return json.dumps(
        {
            "env_id": reset.env_id,
            "kwargs": kwargs,
            "seed": reset.seed,
            "options": reset.options,
            "max_steps": spec.max_steps,
            "family": spec.rule.family,
            "objects": [item.model for item in spec.objects],
            "roles": {item.role: item.model for item in spec.objects if item.role != "distractor"},
            "drawer": spec.cabinet.drawer if spec.cabinet else None,
        }
    )
