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
    images = 1

    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        from policies.openvla_phi3.images import model_images
        from policies.phi3v.processor import Prompt

        images = model_images(observations)
        return [
            PolicyInput(Prompt(make_prompt(observation.instruction), [image]), ("model input",))
            for observation, image in zip(observations, images, strict=True)
        ]
