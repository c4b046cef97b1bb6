"""The policy ``openvla_phi3``."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base import Observation
from policies.openvla_phi3.prompt import make_prompt
from policies.phi3v.policy import Phi3VPolicy, PolicyInput


class OpenVLAPhi3(Phi3VPolicy):
    """Phi-3-vision trained as in OpenVLA."""

    name = "openvla_phi3"
    released = "furonghuang-lab/openvla_phi3v"

    def __init__(
        self, checkpoint: str | None = None, device: str = "auto", dtype: str = "auto", generation: str = "restricted"
    ) -> None:
        """Load a checkpoint.

        Args:
            checkpoint: folder, ``owner/name[@revision]`` on the hub, or ``tiny-random``.
            device: auto, cpu, cuda or cuda:N.
            dtype: auto (bfloat16 on a GPU, float32 on the CPU), float32, bfloat16 or float16.
            generation: restricted (the likeliest action id) or full (the likeliest id of all).

        Raises:
            UserError: the checkpoint or an option cannot be used.
        """
        super().__init__(checkpoint, device, dtype, generation)

    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        from policies.openvla_phi3.images import model_images
        from policies.phi3v.processor import Prompt

        images = model_images(observations)
        return [
            PolicyInput(Prompt(make_prompt(observation.instruction), [image]), ("model input",))
            for observation, image in zip(observations, images, strict=True)
        ]
