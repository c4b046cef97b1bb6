"""A lab's own checkpoints: which ranges they are played with, and what else in their folders is used, refused or named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval.errors import UserError
from eval.records.folder import load_run

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from safetensors.torch import load_file, save_file

from policies.openvla_phi3 import OpenVLAPhi3
from policies.phi3v.statistics import read_ranges
from policies.phi3v.vla import VLA
from policies.tracevla_phi3 import TraceVLAPhi3

STATISTICS = "dataset_statistics.json"
ENTRY = {"action": {"q01": [-0.1] * 6 + [0.0], "q99": [0.1] * 6 + [1.0], "mask": [True] * 6 + [False]}}
WIDOWX, GOOGLE = "widowx_carrot_on_plate", "google_robot_pick_coke_can"


def write(folder: Path, name: str, content: object) -> Path:
    (folder / name).write_text(json.dumps(content))
    return folder


def edit(folder: Path, name: str, **changes: object) -> Path:
    return write(folder, name, {**json.loads((folder / name).read_text()), **changes})


def change_weights(folder: Path, key: str, value: float) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[key] = weights[key].float()
    weights[key].view(-1)[3] = value
    save_file(weights, folder / "model.safetensors")


def refused(folder: Path, **options: object) -> str:
    with pytest.raises(UserError) as error:
        VLA(str(folder), "cpu", **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def run(cli, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """The verb, with one step of one episode in a world without physics."""

    def call(task: str, checkpoint: Path, *options: object, out: str = "run", policy: str = "openvla_phi3"):
        world = ("--limit", 1, "--max-steps", 1, "--world", "fake_world", "--workers", 1, "--video", "none", "--device", "cpu")
        place = ("--out", tmp_path / out)
        return cli("run", "--policy", policy, "--task", task, "--checkpoint", checkpoint, *world, *options, *place)

    return call


# ---- ranges ----------------------------------------------------------------------------------------------------------


def test_only_the_ranges_of_the_robots_played_are_needed(copy: Path, run, tmp_path: Path) -> None:
    write(copy, STATISTICS, {"bridge_orig": ENTRY})
    code, out, err = run(WIDOWX, copy)
    assert code == 0, err
    assert load_run(tmp_path / "run").header.identity.policy.unnorm_keys == {"widowx": "bridge_orig"}
    assert "scaled with" not in out
    code, _, err = run(GOOGLE, copy, out="google")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert 'has no "fractal20220817_data", which google_robot needs; it has: bridge_orig. Choose' in err
    assert "--unnorm-key google_robot=KEY" in err
    assert not (tmp_path / "google").exists()


def test_the_only_key_is_taken_and_said_and_runs_of_both_robots_pool(copy: Path, run, cli, tmp_path: Path) -> None:
    write(copy, STATISTICS, {"my_lab": ENTRY})
    for task in (WIDOWX, GOOGLE):
        code, _, err = run(task, copy, out=task)
        assert code == 0, err
        header = load_run(tmp_path / task).header
        assert header.identity.policy.unnorm_keys == {"widowx": "my_lab", "google_robot": "my_lab"}
    code, out, err = cli("report", tmp_path / WIDOWX, tmp_path / GOOGLE)
    assert code == 0, err
    said = " ".join(out.split())
    assert '(actions scaled with "my_lab", the only key there is' in said
    assert "the only key there is" in (tmp_path / WIDOWX / "tables/summary.md").read_text()


def test_a_key_can_be_chosen_for_each_robot(copy: Path, run, tmp_path: Path) -> None:
    other = {"action": {**ENTRY["action"], "q99": [0.2] * 6 + [1.0]}}
    write(copy, STATISTICS, {"mine_a": ENTRY, "mine_b": other})
    code, _, err = run(WIDOWX, copy)
    assert code == 2
    assert "it has: mine_a, mine_b. Choose with --unnorm-key KEY" in err
    code, _, err = run(WIDOWX, copy, "--unnorm-key", "widowx=mine_b", "--unnorm-key", "google_robot=mine_a")
    assert code == 0, err
    header = load_run(tmp_path / "run").header
    assert header.identity.policy.unnorm_keys == {"widowx": "mine_b", "google_robot": "mine_a"}
    assert 'widowx actions scaled with "mine_b"' in header.policy.remarks
    code, _, err = run(WIDOWX, copy, "--policy-arg", "unnorm_key=mine_b", out="both")
    assert code == 0, err
    assert set(load_run(tmp_path / "both").header.identity.policy.unnorm_keys.values()) == {"mine_b"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, {"widowx": 0.02, "google_robot": 0.06}),
        ("mine", {"widowx": 0.1, "google_robot": 0.1}),
        ("google_robot=mine", {"widowx": 0.02, "google_robot": 0.1}),
        (" widowx = mine , fractal20220817_data", {"widowx": 0.1, "google_robot": 0.06}),
    ],
)
def test_what_a_choice_of_keys_means(copy: Path, key: str | None, expected: dict[str, float]) -> None:
    edit(copy, STATISTICS, mine=ENTRY)
    ranges = read_ranges(copy, key).ranges
    assert {robot: float(each.q99[0]) for robot, each in ranges.items()} == expected


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("bridge", 'has no "bridge"; it has: bridge_orig, fractal20220817_data. Did you mean "bridge_orig"?'),
        ("widow=bridge_orig", 'there is no robot "widow". Did you mean "widowx"?'),
        ("widowx", "write widowx=KEY"),
        ("widowx=", "names no key"),
        ("", "names no key"),
        ("a,b", 'two keys for all robots, "a" and "b"'),
        ("widowx=a,widowx=b", 'two keys for widowx, "a" and "b"'),
    ],
)
def test_a_wrong_choice_of_keys_is_one_line(copy: Path, key: str, words: str) -> None:
    assert words in refused(copy, unnorm_key=key)


def test_statistics_in_the_configuration_count_where_there_is_no_file(copy: Path) -> None:
    edit(copy, "config.json", norm_stats={"mine": ENTRY})
    assert VLA(str(copy), "cpu").describe("x").unnorm_keys["widowx"] == "bridge_orig"  # OpenVLA keeps those of the base model
    ours = json.loads((copy / STATISTICS).read_text())
    edit(copy, "config.json", norm_stats=ours)
    assert read_ranges(copy).remarks == ()
    edit(copy, "config.json", norm_stats={"bridge_orig": ENTRY})
    assert read_ranges(copy).remarks == (f'"bridge_orig" from {STATISTICS}, not from config.json, which differs',)
    assert read_ranges(copy).ranges["widowx"].q99[0] == 0.02
    (copy / STATISTICS).unlink()
    assert read_ranges(copy).ranges["widowx"].q99[0] == 0.1


def entry(**changes: object) -> dict[str, object]:
    return {"bridge_orig": {"action": {**ENTRY["action"], **changes}}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (entry(q01=[0.2] + [-0.1] * 5 + [0.0]), '"bridge_orig" has q01 above q99 in number 0 (0.2 > 0.1)'),
        (entry(q99=[float("nan")] + [0.1] * 6), 'q99 of "bridge_orig" must be 7 finite numbers'),
        (entry(q01=[float("-inf")] + [0.1] * 6), 'q01 of "bridge_orig" must be 7 finite numbers'),
        (entry(q01=["-1"] * 7), "must be 7 finite numbers"),
        (entry(q01=[-0.1] * 8), "must be 7 finite numbers"),
        (entry(q01=-0.1), "must be 7 finite numbers"),
        (entry(q01=None), '"bridge_orig" has no q01'),
        (entry(mask=[True] * 6), 'the mask of "bridge_orig" must be 7 times true or false'),
        (entry(mask=["false"] * 7), "must be 7 times true or false"),
        (entry(q01=[0.0] * 7, q99=[0.0] * 7), "are equal everywhere"),
        ({"bridge_orig": {}}, 'has no "action"'),
        ({}, "holds no data set"),
        (ENTRY, "is not sorted by data set"),
    ],
)
def test_broken_statistics_are_one_line(copy: Path, content: object, words: str) -> None:
    assert words in refused(write(copy, STATISTICS, content))


def test_a_key_that_is_there_twice_is_one_line(copy: Path) -> None:
    (copy / STATISTICS).write_text(f'{{"bridge_orig": {json.dumps(ENTRY)}, "bridge_orig": {json.dumps(ENTRY)}}}')
    assert '"bridge_orig" is there twice' in refused(copy)


# ---- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_one_line(copy: Path, value: float) -> None:
    change_weights(copy, "model.layers.1.mlp.down_proj.weight", value)
    assert "1 of 2048 numbers of model.layers.1.mlp.down_proj.weight are NaN or infinite" in refused(copy)


def test_weights_that_a_number_format_cannot_hold_are_one_line(copy: Path) -> None:
    change_weights(copy, "model.norm.weight", 1e6)
    assert "too large for float16; use --dtype bfloat16 or float32" in refused(copy, dtype="float16")
    VLA(str(copy), "cpu", "float32")


def test_an_adapter_and_stray_weights_are_refused(copy: Path, tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, copy / "action_head.safetensors")
    assert "holds action_head.safetensors, which model.safetensors does not name" in refused(copy)
    (copy / "action_head.safetensors").rename(copy / "adapter_model.safetensors")
    assert "merge it into the weights first" in refused(copy)


def test_a_folder_of_checkpoints_says_where_one_is(copy: Path, tmp_path: Path) -> None:
    outer = tmp_path / "trained"
    outer.mkdir()
    copy.rename(outer / "checkpoint-2000")
    assert "it has no config.json. Its folder checkpoint-2000 has one." in refused(outer)


# ---- images ----------------------------------------------------------------------------------------------------------

RELEASED = {
    "num_crops": 16, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Phi3VImageProcessor", "processor_class": "Phi3VProcessor", "num_img_tokens": 144,
    "auto_map": {"AutoProcessor": "processing_phi3_v.Phi3VProcessor"},
}  # fmt: skip


def first_action(folder: Path, make_info, make_seen, **options: object) -> tuple[np.ndarray, object]:
    policy = OpenVLAPhi3(str(folder), "cpu", **options)
    policy.reset([make_info()])
    return policy.act([make_seen()])[0].notes["values"], policy.describe()


def test_the_released_preprocessor_changes_nothing(copy: Path, make_info, make_seen) -> None:
    before, plain = first_action(copy, make_info, make_seen)
    write(copy, "preprocessor_config.json", RELEASED)
    after, described = first_action(copy, make_info, make_seen)
    np.testing.assert_array_equal(before, after)
    assert described.identity == plain.identity
    assert described.remarks == ()


@pytest.mark.parametrize(
    ("changes", "settings", "words"),
    [
        ({"num_crops": 4}, {"num_crops": 4}, "4 crops an image"),
        (
            {"image_mean": [0.5] * 3, "image_std": [0.25] * 3},
            {"image_mean": [0.5] * 3, "image_std": [0.25] * 3},
            "images normalised as the checkpoint says",
        ),
    ],
)
@pytest.mark.parametrize("newer", [False, True])
def test_other_crops_and_colours_are_used_and_said(
    copy: Path, make_info, make_seen, changes: dict[str, object], settings: object, words: str, newer: bool
) -> None:
    before, _ = first_action(copy, make_info, make_seen)
    content = {**RELEASED, **changes}
    write(
        copy,
        "processor_config.json" if newer else "preprocessor_config.json",
        {"image_processor": content} if newer else content,
    )
    after, described = first_action(copy, make_info, make_seen)
    assert not np.array_equal(before, after)
    assert described.settings == settings
    assert described.remarks == (words,)


def test_crops_can_be_chosen_as_far_as_they_fit(copy: Path, make_info, make_seen) -> None:
    _, described = first_action(copy, make_info, make_seen, num_crops="16")
    assert described.settings == {"num_crops": 16}
    with pytest.raises(UserError, match=r"2 image\(s\) of 16 crops are 5018 tokens, but the model takes at most 4089"):
        TraceVLAPhi3(str(copy), "cpu", num_crops=16)
    assert 'num_crops "many" is not possible' in refused(copy, num_crops="many")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": {"height": 224, "width": 224}}, "size {"),
        ({"num_crops": 0}, "num_crops 0 is not possible"),
        ({"num_crops": "4"}, 'num_crops "4" is not possible'),
        ({"image_mean": [0.5]}, "image_mean must be 3 finite numbers"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std must be above 0"),
        ({"do_normalize": False}, "do_normalize false is not supported"),
        ({"image_processor_type": "SiglipImageProcessor"}, "is not supported, only"),
    ],
)
def test_what_is_not_done_to_images_here_is_one_line(copy: Path, changes: dict[str, object], words: str) -> None:
    assert words in refused(write(copy, "preprocessor_config.json", {**RELEASED, **changes}))


# ---- whatever else a folder says -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_action_bins": 512}, "n_action_bins 512 is not supported, only 256"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings true is not supported"),
        ({"sliding_window": 512}, "sliding_window of 512 is not supported"),
        ({"hidden_act": "gelo"}, "describes no model"),
        ({"num_attention_heads": 0}, "num_attention_heads cannot be 0"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers cannot be"),
        ({"embd_layer": {"hd_transform_order": "glb_sub"}}, 'embd_layer hd_transform_order "glb_sub" is not supported'),
        ({"img_processor": {"layer_idx": -1}}, "img_processor layer_idx -1 is not supported, only -2"),
        ({"img_processor": {"image_dim_out": 512}}, "image_dim_out 512 is not the vision tower's width"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, 'rope_scaling type "linear" is not supported'),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"do_sample": True}, "do_sample true is not supported"),
    ],
)
def test_a_configuration_of_another_model_is_one_line(copy: Path, changes: dict[str, object], words: str) -> None:
    assert words in refused(edit(copy, "config.json", **changes))


CHAT = (
    "{% for m in messages %}{{ '<|' ~ m['role'] ~ '|>\\n' ~ m['content'] ~ '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "generation_config.json",
            {"do_sample": True, "temperature": 0.7},
            "do_sample true is not supported: actions are",
        ),
        ("generation_config.json", {"num_beams": 4}, "num_beams 4 is not supported"),
        ("added_tokens.json", {"<act>": 32045}, "gives the token <act> the id 32045, but tokenizer.json does not have it"),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"32001": {"content": "<|user|>"}}},
            "gives the token <|user|> the id 32001, but tokenizer.json has it as 32010",
        ),
        ("tokenizer_config.json", {"add_bos_token": False}, "says add_bos_token false, but tokenizer.json does otherwise"),
        (
            "tokenizer_config.json",
            {"chat_template": "In: {{ messages[0]['content'] }}"},
            "other prompts are not supported",
        ),
        ("tokenizer_config.json", {"chat_template": "{{ ''.__class__.__mro__ }}"}, "the chat template cannot be used"),
    ],
)
def test_a_file_that_asks_for_something_else_is_one_line(copy: Path, name: str, content: object, words: str) -> None:
    assert words in refused(write(copy, name, content))


def test_usual_files_change_nothing_and_unknown_ones_are_named_in_the_title(copy: Path) -> None:
    write(copy, "generation_config.json", {"_from_model_config": True, "eos_token_id": 2, "temperature": 1.0})
    write(copy, "tokenizer_config.json", {"add_bos_token": True, "chat_template": CHAT, "padding_side": "right"})
    for name in ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", "trainer_state.json"):
        (copy / name).write_text("{}")
    edit(copy, "config.json", transformers_version="4.40.1", auto_map={}, attention_dropout=0.0)
    assert VLA(str(copy), "cpu").remarks == []
    edit(copy, "config.json", action_chunk=8, embd_layer={"hd_transfrom_order": "glb_sub"})
    write(copy, "preprocessor_config.json", {**RELEASED, "image_stdd": [0.5] * 3})
    (copy / "proprio_projector.pt").touch()
    unused = "config.json action_chunk, config.json embd_layer.hd_transfrom_order, preprocessor_config.json image_stdd"
    assert VLA(str(copy), "cpu").remarks == [f"not used of the checkpoint: {unused}, proprio_projector.pt"]


# ---- options that name something -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "options", "words"),
    [
        ("tracevla_phi3", ["--tracker", "lucas_kanade", "--tracker-checkpoint", __file__], "no use for --tracker-checkpoint"),
        ("tracevla_phi3", ["--tracker", "cotraker"], 'Did you mean "cotracker"?'),
        ("tracevla_phi3", ["--tracker-checkpoint", ""], "--tracker-checkpoint is empty"),
        ("tracevla_phi3", ["--trace-preset", "papr"], 'Did you mean "paper"?'),
        ("openvla_phi3", ["--tracker", "lucas_kanade"], "tracker"),
        ("openvla_phi3", ["--unnorm-key", "bridge"], 'Did you mean "bridge_orig"?'),
        ("openvla_phi3", ["--dtype", "foo"], '--dtype "foo" is unknown'),
        ("openvla_phi3", ["--generation", "foo"], '--generation "foo" is unknown'),
        ("oracle", [], "oracle"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_line_and_nothing_is_played(
    tiny: Path, run, tmp_path: Path, policy: str, options: list[str], words: str
) -> None:
    code, out, err = run(WIDOWX, tiny, *options, policy=policy)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert words in err
    assert not (tmp_path / "run").exists()
