"""The policy ``openvla_phi3``."""

from __future__ import annotations

from collections.abc import Sequence

from policies.base import Observation
from policies.openvla_phi3.prompt import prompt
from policies.phi3v.policy import Ask, Phi3VPolicy


class OpenVLAPhi3(Phi3VPolicy):
    """Phi-3-vision trained as in OpenVLA.

    ``checkpoint``: folder, ``owner/name[@revision]`` on the hub, or ``tiny-random``. ``device``: auto, cpu, cuda or
    cuda:N. ``dtype``: auto (bfloat16 on a GPU, float32 on the CPU), float32, bfloat16 or float16. ``generation``:
    restricted (the likeliest action id) or full (the likeliest id of all).
    """

    name = "openvla_phi3"
    released = "furonghuang-lab/openvla_phi3v"

    def __init__(
        self, checkpoint: str | None = None, device: str = "auto", dtype: str = "auto", generation: str = "restricted"
    ) -> None:
        super().__init__(checkpoint, device, dtype, generation)

    def _ask(self, observations: Sequence[Observation]) -> list[Ask]:
        from policies.openvla_phi3.images import model_pictures
        from policies.phi3v.processor import Question

        pictures = model_pictures(observations)
        return [
            Ask(Question(prompt(observation.instruction), [picture]), ("model input",))
            for observation, picture in zip(observations, pictures, strict=True)
        ]
