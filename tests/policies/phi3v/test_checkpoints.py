"""Which folders are checkpoints, and the messages for all others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.errors import UserError

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from safetensors.torch import load_file, save_file

from policies.phi3v.checkpoint import find_checkpoint
from policies.phi3v.config import read_config
from policies.phi3v.random_checkpoint import CONFIG, SEED, complete
from policies.phi3v.random_weights import write_weights
from policies.phi3v.statistics import read_ranges
from policies.phi3v.vla import VLA
from policies.phi3v.weights import EMBEDDING, TWIN, load_model
from policies.registry import load_policy

EYES = "model.vision_embed_tokens.img_processor.vision_model."


def change(folder: Path, edit: Callable[[dict], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")


def edit_json(path: Path, edit: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def loaded(folder: Path):
    return load_model(folder, read_config(folder), torch.device("cpu"), torch.float32).state_dict()


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        VLA(str(folder), device="cpu")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_embedding_may_have_either_name_or_both(copy: Path) -> None:
    before = loaded(copy)
    change(copy, lambda weights: weights.update({TWIN: weights[EMBEDDING].clone()}))
    both = loaded(copy)
    change(copy, lambda weights: weights.pop(EMBEDDING))
    only = loaded(copy)
    for state in (both, only):
        assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_two_different_embeddings_are_refused(copy: Path) -> None:
    change(copy, lambda weights: weights.update({TWIN: weights[EMBEDDING] + 1}))
    assert "must be the same matrix" in refused(copy)


def test_the_unused_last_vision_layer_is_tolerated_and_no_other(copy: Path) -> None:
    unused = {f"{EYES}{name}.bias": torch.zeros(3) for name in ("encoder.layers.2.mlp.fc1", "post_layernorm")}
    change(copy, lambda weights: weights.update(unused))
    loaded(copy)
    change(copy, lambda w: w.update({f"{EYES}encoder.layers.3.mlp.fc1.bias": torch.zeros(3)}))
    assert "layers.3.mlp.fc1.bias" in refused(copy)


def test_shards_hold_the_same_as_one_file(tiny: Path, tmp_path: Path) -> None:
    write_weights(tmp_path, CONFIG, SEED, shard_bytes=1_500_000)
    complete(tmp_path)
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    one, many = loaded(tiny), loaded(tmp_path)
    assert all(torch.equal(many[name], tensor) for name, tensor in one.items())
    gone = sorted(tmp_path.glob("model-*.safetensors"))[1]
    gone.unlink()
    assert gone.name in refused(tmp_path)


def spoil_half(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100_000])


def spoil_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model-00001-of-00002.bin")


SPOILT = [
    (lambda f: (f / "config.json").unlink(), "is no checkpoint: it has no config.json"),
    (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
    (lambda f: (f / "config.json").write_text('{"model_type": "llama"}'), "is no Phi-3-vision checkpoint"),
    (lambda f: edit_json(f / "config.json", lambda c: c.pop("rope_scaling")), "rope_scaling"),
    (lambda f: edit_json(f / "config.json", lambda c: c.update(hidden_size=30)), "short_factor has 8 numbers, not 7"),
    (lambda f: edit_json(f / "config.json", lambda c: c.update(intermediate_size=65)), "has shape [128, 32], but config"),
    (lambda f: edit_json(f / "config.json", lambda c: c.update(num_hidden_layers=3)), "tensors are missing (model.layers.2."),
    (lambda f: change(f, lambda w: w.pop("lm_head.weight")), "is incomplete: 1 of"),
    (lambda f: change(f, lambda w: w.update(odd=torch.zeros(1))), "unexpected tensors (odd)"),
    (lambda f: change(f, lambda w: w.update({"model.norm.weight": torch.zeros(32, dtype=torch.int8)})), "stored as I8"),
    (spoil_half, "is it half a file?"),
    (lambda f: (f / "model.safetensors").unlink(), "neither model.safetensors nor"),
    (spoil_pickle, "save_file("),
    (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer.json"),
    (lambda f: (f / "tokenizer.json").write_text("{}"), "is no tokenizer"),
    (lambda f: (f / "dataset_statistics.json").unlink(), "has no dataset_statistics.json"),
    (lambda f: edit_json(f / "dataset_statistics.json", lambda c: c["bridge_orig"]["action"].pop("q99")), "has no q99"),
    (lambda f: edit_json(f / "dataset_statistics.json", lambda c: c["bridge_orig"]["action"]["q01"].pop()), "7 finite numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), SPOILT)
def test_a_spoilt_checkpoint_is_one_line(copy: Path, spoil: Callable[[Path], None], words: str) -> None:
    spoil(copy)
    assert words in refused(copy)


def test_ranges_inside_the_configuration_are_taken(copy: Path, tiny: Path) -> None:
    ranges = json.loads((copy / "dataset_statistics.json").read_text())
    (copy / "dataset_statistics.json").unlink()
    edit_json(copy / "config.json", lambda content: content.update(norm_stats=ranges))
    assert read_ranges(copy).ranges["widowx"].q99.tolist() == read_ranges(tiny).ranges["widowx"].q99.tolist()


def test_nothing_in_the_folder_is_run(copy: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').write('ran')\n"
    names = ("configuration_phi3_v", "modeling_phi3_v", "processing_phi3_v", "image_processing_phi3_v", "__init__", "conftest")
    for name in names:
        (copy / f"{name}.py").write_text(code)
    auto = {"AutoConfig": "configuration_phi3_v.Phi3VConfig", "AutoModelForCausalLM": "modeling_phi3_v.Phi3VForCausalLM"}
    edit_json(copy / "config.json", lambda content: content.update(auto_map=auto))
    (copy / "preprocessor_config.json").write_text(json.dumps({"auto_map": {"AutoProcessor": "processing_phi3_v.P"}}))
    VLA(str(copy), device="cpu")
    assert not mark.exists()


def test_the_hash_is_of_what_is_inside(tiny: Path, copy: Path) -> None:
    first = VLA(str(tiny), device="cpu").describe("x").weights
    assert VLA(str(copy), device="cpu").describe("x").weights == first
    change(copy, lambda weights: weights["model.norm.weight"].add_(1))
    assert VLA(str(copy), device="cpu").describe("x").weights != first


def test_the_hub_gives_weights_numbers_and_tokenizer_alone(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    requested = {}

    def snapshot(name: str, **options: object) -> str:
        requested.update(options, name=name)
        if name == "nobody/nothing":
            raise OSError("404\nnot found")
        return str(tiny)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert find_checkpoint("someone/some_vla@v1.2") == tiny
    patterns = ["*.safetensors", "*.json", "chat_template.jinja"]
    assert requested == {"name": "someone/some_vla", "revision": "v1.2", "allow_patterns": patterns}
    assert "the hub did not give nobody/nothing: OSError: 404 not found" in refused(Path("nobody/nothing"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs --checkpoint"),
        ({"checkpoint": "no such place"}, "is neither a folder"),
        ({"checkpoint": __file__}, "is a file"),
        ({"checkpoint": "tiny-random", "dtype": "int4"}, '--dtype "int4" is unknown'),
        ({"checkpoint": "tiny-random", "device": "gpu"}, '--device "gpu" is unknown'),
        ({"checkpoint": "tiny-random", "generation": "ful"}, 'Did you mean "full"?'),
        (
            {"checkpoint": "tiny-random", "trace_preset": "released"},
            "It takes: checkpoint, device, dtype, generation,",
        ),
    ],
)
def test_a_wrong_option_is_one_line(options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as error:
        load_policy("policies.openvla_phi3:OpenVLAPhi3", options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_is_one_line(tiny: Path) -> None:
    with pytest.raises(UserError, match="--device cuda is not possible"):
        VLA(str(tiny), device="cuda")


def test_a_full_gpu_is_one_line(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from policies.phi3v import device

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2_000_000_000, 80_000_000_000))
    with pytest.raises(UserError, match=r"need 8\.3 GB, but cuda has 2\.0 of 80\.0 GB free.*--dtype bfloat16"):
        device.check_memory(torch.device("cuda"), 8_300_000_000)
    with pytest.raises(UserError, match="not enough memory on cuda"), device.explain_out_of_memory(torch.device("cuda")):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate")


def test_the_tiny_checkpoint_is_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = find_checkpoint("tiny-random")
    assert folder.is_relative_to(tmp_path)
    assert find_checkpoint("tiny-random") == folder
    for path in tiny.iterdir():
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256((folder / path.name).read_bytes()).digest()
