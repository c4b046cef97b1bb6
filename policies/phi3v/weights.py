"""From safetensors files to a model: every tensor is accounted for, none is guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from eval.errors import UserError
from policies.phi3v.config import Phi3VConfig, read_json
from policies.phi3v.model import Phi3V

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
EMBEDDING, TWIN = "model.embed_tokens.weight", "model.vision_embed_tokens.wte.weight"
_EYES = "model.vision_embed_tokens."
_FLOATS = ("F16", "BF16", "F32", "F64")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, all that are there.

    Raises UserError for a pickle, an unfinished copy, an adapter, files that are not part of the model, or none at all.
    """
    if (folder / "adapter_config.json").exists() or any(folder.glob("adapter_model*")):
        raise UserError(
            f"{folder} holds an adapter; merge it into the weights first (in peft: merge_and_unload, then save_pretrained) and "
            "remove it: without it the weights are another model."
        )
    files = _weight_files(folder)
    used = {path.name for path in files}
    strange = sorted(path.name for path in folder.glob("*.safetensors") if path.name not in used)
    if strange:
        place = SINGLE if files[0].name == SINGLE else INDEX
        raise UserError(f"{folder} holds {_some(strange)}, which {place} does not name; remove what is not part of the model.")
    return files


def _weight_files(folder: Path) -> list[Path]:
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if (folder / INDEX).is_file():
        names = read_json(folder / INDEX).get("weight_map")
        if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
            raise UserError(f"{folder / INDEX} holds no weight_map.")
        files = [folder / name for name in sorted(set(names.values()))]
        for path in files:
            if path.name != str(path.relative_to(folder)) or path.suffix != ".safetensors":
                raise UserError(f'{folder / INDEX} names "{path}", which is no safetensors file of that folder.')
        absent = [path.name for path in files if not path.is_file()]
        if absent:
            raise UserError(f"{folder} is incomplete: of its weight files ({len(files)}), these are missing: {_some(absent)}.")
        return files
    unsafe = sorted(path.name for path in folder.iterdir() if path.name.endswith(_UNSAFE))
    if unsafe:
        many = f"*{Path(unsafe[0]).suffix}"
        raise UserError(
            f"{folder} has its weights as {unsafe[0]}: such a file can run code when it is opened, so it is refused. If you "
            "trust it, convert it in its folder with: python -c 'import glob, torch; from safetensors.torch import save_file; "
            f'save_file({{k: v.contiguous().clone() for f in glob.glob("{many}") for k, v in torch.load(f, '
            f'weights_only=True).items()}}, "{SINGLE}")\''
        )
    raise UserError(f"{folder} is no checkpoint: it has neither {SINGLE} nor {INDEX}.")


def load_model(folder: Path, config: Phi3VConfig, device: torch.device, dtype: torch.dtype) -> Phi3V:
    """The model of a checkpoint folder.

    Args:
        folder: with the safetensors files.
        config: of the same folder.
        device: where the weights go.
        dtype: what they are converted to.

    Returns:
        The model, complete and without gradients.

    Raises:
        UserError: a tensor is missing, unexpected, of the wrong shape, not readable, or holds a number that is not finite.
    """
    stored = _index(weight_files(folder))
    model = _empty_model(folder, config)
    expected = released_names(model)
    sources = _match(folder, {key: shape for key, (_, shape) in stored.items()}, expected, config)
    state: dict[str, Tensor] = {}
    for path in sorted({stored[source][0] for source in sources.values()}):
        with _opened(path, str(device)) as file:
            for key, source in sources.items():
                if stored[source][0] == path:
                    name, parameter = expected[key]
                    tensor = file.get_tensor(source)
                    state[name] = tensor.to(dtype).reshape(parameter.shape)
                    _check_finite(path, source, tensor, state[name])
            if TWIN in stored and EMBEDDING in sources and sources[EMBEDDING] == EMBEDDING and stored[TWIN][0] == path:
                twin = file.get_tensor(TWIN).to(dtype)
                _check_twin(folder, twin, stored[EMBEDDING][0], device, dtype)
    return _finished(model, state, device)


def _empty_model(folder: Path, config: Phi3VConfig) -> Phi3V:
    """The model without memory for its weights."""
    try:
        with torch.device("meta"):
            return Phi3V(config)
    except Exception as error:  # transformers checks what it is given, with errors of many kinds
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}/config.json describes no model: {type(error).__name__}: {reason}") from error


def _check_finite(path: Path, name: str, stored: Tensor, used: Tensor) -> None:
    """Raise UserError for NaN and infinities. The extremes show both, in one pass that needs no memory."""
    if used.numel() == 0 or all(torch.isfinite(extreme) for extreme in torch.aminmax(used)):
        return
    if not torch.isfinite(stored).all():
        wrong = int((~torch.isfinite(stored)).sum())
        raise UserError(f"{path}: {wrong} of {stored.numel()} numbers of {name} are NaN or infinite.")
    kind = str(used.dtype).removeprefix("torch.")
    raise UserError(f"{path}: {name} holds numbers that are too large for {kind}; use --dtype bfloat16 or float32.")


def stored_parameters(files: list[Path]) -> int:
    """How many parameters the files hold."""
    return sum(math.prod(shape) for _, shape in _index(files).values())


def model_of(config: Phi3VConfig, tensors: Mapping[str, Tensor]) -> Phi3V:
    """A model from tensors by their released names; all that are expected, no others."""
    with torch.device("meta"):
        model = Phi3V(config)
    expected = released_names(model)
    state = {expected[key][0]: tensor.reshape(expected[key][1].shape) for key, tensor in tensors.items()}
    return _finished(model, state, next(iter(state.values())).device)


def _finished(model: Phi3V, state: Mapping[str, Tensor], device: torch.device) -> Phi3V:
    """Put complete weights into a model that was built without memory, and make it ready for use."""
    model.load_state_dict(state, strict=True, assign=True)
    model.make_tables(device)
    model.requires_grad_(False)
    model.eval()
    return model


def released_names(model: Phi3V) -> dict[str, tuple[str, Tensor]]:
    """Name in a released checkpoint -> (name in the model, parameter)."""
    names = {}
    for name, parameter in model.state_dict(keep_vars=True).items():
        names[released_name(name)] = (name, parameter)
    return names


def released_name(name: str) -> str:
    """Name in the model -> name in a released checkpoint."""
    special = {"row_end": f"{_EYES}sub_GN", "global_mark": f"{_EYES}glb_GN"}
    if name in special:
        return special[name]
    head, _, rest = name.partition(".")
    if head == "language":
        return rest
    if head == "projection":
        return f"{_EYES}img_projection.{rest}"
    return f"{_EYES}img_processor.vision_model.{rest}"


def released_shape(key: str, shape: torch.Size) -> tuple[int, ...]:
    """The shape in a checkpoint: the two marks carry leading ones there."""
    leading = {f"{_EYES}sub_GN": 3, f"{_EYES}glb_GN": 2}.get(key, 0)
    return (1,) * leading + tuple(shape)


def _index(files: list[Path]) -> dict[str, tuple[Path, tuple[int, ...]]]:
    """Stored key -> (file, shape); only the headers are read."""
    stored: dict[str, tuple[Path, tuple[int, ...]]] = {}
    for path in files:
        with _opened(path, "cpu") as file:
            for key in file.keys():  # noqa: SIM118 - no dict
                if key in stored:
                    raise UserError(f"{path} holds {key} a second time (first in {stored[key][0].name}).")
                piece = file.get_slice(key)
                if piece.get_dtype() not in _FLOATS:
                    raise UserError(f"{path}: {key} is stored as {piece.get_dtype()}; only {', '.join(_FLOATS)} are supported.")
                stored[key] = path, tuple(piece.get_shape())
    return stored


def _opened(path: Path, device: str) -> safe_open:
    try:
        return safe_open(path, framework="pt", device=device)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} cannot be read; is it half a file? ({error})") from error


def _match(
    folder: Path, stored: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[str, Tensor]], config: Phi3VConfig
) -> dict[str, str]:
    """Expected key -> stored key. The embedding may be stored under its other name; nothing else may differ."""
    sources = {key: key for key in expected}
    if EMBEDDING not in stored and TWIN in stored:
        sources[EMBEDDING] = TWIN
    missing = sorted(key for key, source in sources.items() if source not in stored)
    if missing:
        raise UserError(f"{folder} is incomplete: {len(missing)} of {len(expected)} tensors are missing ({_some(missing)}).")
    never_used = re.compile(  # the last vision layer and the norm after it
        rf"{re.escape(_EYES)}img_processor\.vision_model\."
        rf"(encoder\.layers\.{config.vision['num_hidden_layers'] - 1}|post_layernorm)\."
    )
    strange = sorted(key for key in stored if key not in expected and key != TWIN and not never_used.match(key))
    if strange:
        raise UserError(f"{folder} holds {len(strange)} unexpected tensors ({_some(strange)}).")
    for key, source in {**sources, **({TWIN: TWIN} if TWIN in stored else {})}.items():
        here = released_shape(key, expected[EMBEDDING if key == TWIN else key][1].shape)
        if stored[source] != here:
            raise UserError(f"{folder}: {source} has shape {list(stored[source])}, but config.json makes it {list(here)}.")
    return sources


def _check_twin(folder: Path, twin: Tensor, path: Path, device: torch.device, dtype: torch.dtype) -> None:
    with _opened(path, str(device)) as file:
        if not torch.equal(twin, file.get_tensor(EMBEDDING).to(dtype)):
            raise UserError(f"{folder}: {TWIN} and {EMBEDDING} must be the same matrix, but differ.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
