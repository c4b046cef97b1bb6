"""LoRA: small matrices beside those of the model, by ``peft``. What is saved has them merged, as any other checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from eval.errors import needs_extra
from policies.phi3v.model import Phi3V
from policies.training import Settings

LANGUAGE = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj", "lm_head")
VISION = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "projection.0", "projection.2")
"""What the release puts adapters beside."""
BASE = ".base_layer"
ADAPTER = "default"


def add_adapters(model: Phi3V, settings: Settings) -> None:
    """Freeze the model and put adapters into it, in place. Raises UserError without ``peft``."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise needs_extra("--lora-rank", error.name, "train") from error
    assert settings.lora_rank is not None
    model.requires_grad_(False)
    config = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=round(settings.lora_rank * settings.lora_alpha_ratio),
        lora_dropout=settings.lora_dropout,
        target_modules=[*LANGUAGE, *(() if settings.freeze_vision_model else VISION)],
        init_lora_weights="gaussian",
    )
    inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def merged_state(model: nn.Module, whole: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """The weights as if there were no adapters: each matrix with what its adapter adds; names as without adapters.

    ``whole`` puts each of them together.
    """
    deltas = {
        f"{name}.weight": whole(module.get_delta_weight(ADAPTER))
        for name, module in model.named_modules()
        if hasattr(module, "get_delta_weight")
    }
    state = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" in name:
            continue
        plain, tensor = name.replace(BASE, ""), whole(tensor)
        state[plain] = tensor + deltas[plain].to(tensor) if plain in deltas else tensor
    return state
