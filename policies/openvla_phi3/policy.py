"""The policy ``openvla_phi3``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.base import Observation
from policies.openvla_phi3.prompt import model_prompt
from policies.phi3v.policy import Phi3VPolicy, PolicyInput

if TYPE_CHECKING:
    from policies.phi3v.camera_transforms import ImageArray


class OpenVLAPhi3(Phi3VPolicy["ImageArray"]):
    """Phi-3-vision trained as in OpenVLA."""

    name = "openvla_phi3"
    released = "furonghuang-lab/openvla_phi3v"
    images = 1

    def _inputs(self, observations: Sequence[Observation]) -> list[PolicyInput]:
        return [
            PolicyInput(model_prompt(observation.instruction, image), ("model input",))
            for observation, image in zip(observations, self._camera_images(observations), strict=True)
        ]

    def _camera_image(self, observation: Observation) -> ImageArray:
        from policies.openvla_phi3.images import model_image

        return model_image(observation)
