"""The fast path: the tokens of the reference, bits that do not depend on the company, batches that fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval.cli import main
from eval.errors import UserError

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from policies.openvla_phi3 import OpenVLAPhi3
from policies.phi3v.config import parse_config
from policies.phi3v.device import threads_for
from policies.phi3v.fast.engine import FastModel
from policies.phi3v.fast.memory import bytes_a_sequence, fitting_batch
from policies.phi3v.fast.operations import Operations
from policies.phi3v.generation import Generated, Rule, generate
from policies.phi3v.image_processor import ImageSettings, prepare
from policies.phi3v.model import Phi3V
from policies.phi3v.processor import Inputs, Prompt, Sequences, make_inputs, make_sequences
from policies.phi3v.random_checkpoint import CONFIG, FULL_CONFIG
from policies.phi3v.random_weights import write_weights
from policies.phi3v.vla import VLA
from policies.tracevla_phi3 import TraceVLAPhi3

KINDS = {"openvla_phi3": OpenVLAPhi3, "tracevla_phi3": TraceVLAPhi3}
TEXTS = [
    "go",
    "put the carrot on the plate",
    "open it",
    "stack the green block on the yellow block, which stands far away",
    "x",
]


@pytest.fixture(scope="module")
def vla(tiny: Path) -> VLA:
    return VLA(str(tiny), "cpu")


@pytest.fixture
def prompts(make_frame: Callable[..., np.ndarray]) -> Callable[..., list[Prompt]]:
    """A batch of these numbers: texts of many lengths, one image or two, some images the same."""

    def make(numbers: list[int]) -> list[Prompt]:
        made = []
        for i in numbers:
            images = [make_frame(i % 3, (336, 336, 3)), make_frame(7 + i, (336, 336, 3))][: 1 + (i % 4 == 3)]
            tags = "".join(f"<|image_{k + 1}|>\n" for k in range(len(images)))
            made.append(Prompt(tags + TEXTS[i % len(TEXTS)], images))
        return made

    return make


def both(vla: VLA, prompts: list[Prompt], num_crops: int = 1) -> tuple[Inputs, Sequences]:
    """What the reference takes, and what the fast path takes."""
    settings = ImageSettings(num_crops)
    return make_inputs(vla.tokenizer, prompts, settings), make_sequences(vla.tokenizer, prompts, settings)


def assert_same(fast: Generated, eager: Generated) -> None:
    assert fast.logits is not None
    assert eager.logits is not None
    assert torch.equal(fast.ids, eager.ids)
    torch.testing.assert_close(fast.logits, eager.logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(fast.margins, eager.margins, rtol=0, atol=1e-4)
    assert fast.outside == eager.outside


@pytest.mark.parametrize("rule", ["restricted", "full"])
def test_the_tokens_are_those_of_the_reference(vla: VLA, prompts: Callable[..., list[Prompt]], rule: Rule) -> None:
    padded, batch = both(vla, prompts(list(range(11))))
    expected = generate(vla.model, padded, vla.action_ids, rule)
    best = expected.logits[..., vla.action_ids.start : vla.action_ids.stop] if rule == "restricted" else expected.logits
    top = best.topk(2).values
    torch.testing.assert_close(expected.margins, top[..., 0] - top[..., 1])
    for fixed in (False, True):
        assert_same(FastModel(vla.model, vla.action_ids, rule, 4, fixed).generate(batch, keep_logits=True), expected)


def test_several_crops_an_image(vla: VLA, prompts: Callable[..., list[Prompt]]) -> None:
    padded, batch = both(vla, prompts([0, 3]), 4)
    expected = generate(vla.model, padded, vla.action_ids, "restricted")
    assert_same(FastModel(vla.model, vla.action_ids, "restricted").generate(batch, keep_logits=True), expected)


def test_shared_keys_and_another_activation(vla: VLA, prompts: Callable[..., list[Prompt]], tmp_path: Path) -> None:
    from policies.phi3v.weights import load_model

    clip = {**CONFIG["img_processor"]["clip_config"], "hidden_act": "gelu"}
    content = {**CONFIG, "num_key_value_heads": 1, "hidden_act": "gelu"}
    content["img_processor"] = {**CONFIG["img_processor"], "clip_config": clip}
    write_weights(tmp_path, content, 3)
    model = load_model(tmp_path, parse_config(content), torch.device("cpu"), torch.float32)
    padded, batch = both(vla, prompts([0, 1, 3]))
    expected = generate(model, padded, vla.action_ids, "restricted")
    assert_same(FastModel(model, vla.action_ids, "restricted").generate(batch, keep_logits=True), expected)


def test_with_fixed_shapes_company_changes_no_bit(vla: VLA, prompts: Callable[..., list[Prompt]]) -> None:
    """Alone, among others, in another row, at another length of the longest, in a second batch."""

    def made(model: FastModel, numbers: list[int]) -> dict[int, bytes]:
        with threads_for(vla.size, vla.device):
            logits = model.generate(both(vla, prompts(numbers))[1], keep_logits=True).logits
        assert logits is not None
        return {number: row.numpy().tobytes() for number, row in zip(numbers, logits, strict=True)}

    fixed = FastModel(vla.model, vla.action_ids, "restricted", 4, fixed=True)
    alone = {number: made(fixed, [number])[number] for number in range(8)}
    for numbers in ([0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0], [7, 3], [1, 7, 0, 2]):
        assert made(fixed, numbers) == {number: alone[number] for number in numbers}
    again = FastModel(vla.model, vla.action_ids, "restricted", 4, fixed=True)
    assert made(again, [2, 0]) == {0: alone[0], 2: alone[2]}


@pytest.mark.parametrize("name", KINDS)
def test_deterministic_episodes_have_the_same_actions_in_any_company(tiny: Path, name: str, make_info, make_seen) -> None:
    options, steps = ({"trace_preset": "paper"}, 7) if name == "tracevla_phi3" else ({}, 3)  # at the end, with traces
    policy = KINDS[name](str(tiny), device="cpu", deterministic="true", batch=3, **options)
    episodes = [(f"e{i}" + "y" * i, TEXTS[i % 5]) for i in range(5)]

    def play(order: list[int]) -> dict[int, list[bytes]]:
        policy.reset([make_info(*episodes[i][:1], instruction=episodes[i][1]) for i in order])
        actions: dict[int, list[bytes]] = {i: [] for i in order}
        for step in range(steps):
            seen = [make_seen(step, episodes[i][0], instruction=episodes[i][1]) for i in order]
            for i, action in zip(order, policy.act(seen), strict=True):
                actions[i].append(action.command.tobytes())
        return actions

    together = play([4, 0, 1, 3, 2])
    assert len({tuple(each) for each in together.values()}) == 5
    assert play([3])[3] == together[3]
    assert play([2, 3]) == {2: together[2], 3: together[3]}
    described = policy.describe()
    assert described.identity.inference == "fast"
    assert described.identity.settings["deterministic_batch"] == 3


def test_how_the_model_is_run_is_part_of_the_identity(tiny: Path, make_info, make_seen) -> None:
    kinds = [{}, {"inference": "fast"}, {"inference": "eager"}, {"deterministic": "true"}]
    made = [OpenVLAPhi3(str(tiny), device="cpu", **options) for options in kinds]
    default, fast, eager, fixed = (policy.describe().identity for policy in made)
    assert default == eager
    assert len({identity.model_dump_json() for identity in (fast, eager, fixed)}) == 3
    commands = []
    for policy in made:
        policy.reset([make_info()])
        commands.append(policy.act([make_seen()])[0].command.tolist())
    assert commands == commands[:1] * 4


def test_the_record_tells_how_clear_the_choices_were(tiny: Path, make_info, make_seen) -> None:
    policy = OpenVLAPhi3(str(tiny), device="cpu", inference="fast", batch="3")
    policy.reset([make_info(name) for name in ("a", "b", "c", "d")])
    before = policy.describe().details
    assert before["smallest_margins"] == [None] * 7
    policy.act([make_seen(0, name) for name in ("a", "b", "c", "d")])
    details = policy.describe().details
    assert all(isinstance(margin, float) and margin >= 0 for margin in details["smallest_margins"])
    below = details["tokens_whose_margin_is_below"]
    assert (below["tokens"] > 0) == (min(details["smallest_margins"]) < below["bound"])
    assert details["batch"] == 3
    assert set(details["timings"]) == {"images", "prompts", "clip", "prefill", "decode"}
    assert all(seconds > 0 for part, seconds in details["timings"].items() if part != "prompts")
    assert json.loads(json.dumps(details))["fast"] == {"operations": "torch", "cuda_graphs": False, "notes": []}


@pytest.mark.parametrize("inference", ["fast", "eager"])
def test_out_of_memory_makes_batches_smaller_and_the_run_goes_on(
    tiny: Path, inference: str, make_info, make_seen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = OpenVLAPhi3(str(tiny), device="cpu", inference=inference, batch=8)
    names = [f"e{i}" for i in range(9)]
    policy.reset([make_info(name) for name in names])
    expected = [action.command.tolist() for action in policy.act([make_seen(0, name) for name in names])]
    assert policy.preferred_batch == 8
    read = Phi3V.hidden_states
    fast_batch = FastModel._batch

    def eager(self: Phi3V, embeddings: torch.Tensor, *rest: object) -> object:
        if len(embeddings) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return read(self, embeddings, *rest)

    def fast(self: FastModel, prompts: object, rows: list[int], *rest: object) -> object:
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fast_batch(self, prompts, rows, *rest)

    monkeypatch.setattr(Phi3V, "hidden_states", eager)
    monkeypatch.setattr(FastModel, "_batch", fast)
    capsys.readouterr()
    for _ in range(2):
        assert [action.command.tolist() for action in policy.act([make_seen(0, name) for name in names])] == expected
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "at most 2 observations" in line] == said[-1:]
    assert len(said) == 2
    assert policy.preferred_batch == 2
    assert policy.describe().details["batch"] == 2


def test_what_fits_no_memory_at_all_is_one_line(tiny: Path, make_info, make_seen, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(FastModel, "_batch", full)
    for options in ({"inference": "fast"}, {"deterministic": "true", "batch": "4"}):
        policy = OpenVLAPhi3(str(tiny), device="cpu", **options)
        policy.reset([make_info()])
        with pytest.raises(UserError, match="not enough memory on cpu"):
            policy.act([make_seen()])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inference": "quick"}, '--inference "quick" is unknown'),
        ({"deterministic": "yes"}, 'deterministic "yes" is not possible; use true or false'),
        ({"batch": "0"}, 'batch "0" is not possible; give a number from 1 to 256'),
        ({"batch": "many"}, 'batch "many" is not possible'),
        ({"inference": "eager", "deterministic": "true", "batch": "4"}, "batch=4 is not possible with --inference eager"),
    ],
)
def test_options_that_cannot_be_used(tiny: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        OpenVLAPhi3(str(tiny), device="cpu", **options)


@pytest.mark.parametrize("name", KINDS)
def test_images_that_were_prepared_give_the_same_actions(
    tiny: Path, name: str, make_info, make_seen, make_frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = KINDS[name](str(tiny), device="cpu")
    policy.reset([make_info("a"), make_info("b")])
    plain = [[action.command.tolist() for action in policy.act([make_seen(s, "a"), make_seen(s, "b")])] for s in range(3)]
    policy.reset([make_info("a"), make_info("b")])
    policy.prepare_observation(make_seen(0, "b", image=make_frame(99)))
    policy.reset([make_info("a"), make_info("b")])  # begun again: what was prepared is of another life
    worked: list[str] = []
    work = KINDS[name]._camera_image

    def count(self: object, observation: object) -> object:
        worked.append(observation.episode)
        return work(self, observation)

    monkeypatch.setattr(KINDS[name], "_camera_image", count)
    for step in range(3):
        seen = [make_seen(step, "a"), make_seen(step, "b")]
        if step:
            policy.prepare_observation(seen[1])
            worked.clear()
        assert [action.command.tolist() for action in policy.act(seen)] == plain[step]
        assert sorted(worked) == (["a"] if step else ["a", "b"])


def test_images_with_the_same_pixels_are_worked_on_once(make_frame) -> None:
    one, other = make_frame(1, (336, 336, 3)), make_frame(2, (336, 336, 3))
    batch = prepare([one, other, one.copy(), other.copy(), one])
    assert len(batch.views) == 2
    assert batch.crop_rows[:, 0].tolist() == [0, 1, 0, 1, 0]
    assert torch.equal(batch.pixel_values[2], prepare([one]).pixel_values[0])
    assert len(prepare([one, one.copy()], ImageSettings(4)).views) == 5


def test_the_default_batch_fits_a_card_of_24_gb() -> None:
    config = parse_config(FULL_CONFIG)
    free = 24_000_000_000 - 9_000_000_000
    for tokens in (360, 790):
        batch = fitting_batch(config, tokens, 2, free)
        assert 8 <= batch <= 32
        assert batch * bytes_a_sequence(config, tokens, 2) < free / 3
    assert fitting_batch(config, 790, 2, 70_000_000_000) == 32
    assert fitting_batch(config, 790, 2, 1_000_000_000) == 1


def test_a_comparison_finds_what_differs(
    tiny: Path, tmp_path: Path, make_frame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    for number in range(3):
        Image.fromarray(make_frame(number)).save(tmp_path / f"{number}.png")

    def exact() -> tuple[int, dict[str, object]]:
        with pytest.raises(SystemExit) as end:
            main(
                [
                    "bench",
                    "exact",
                    "openvla_phi3",
                    "--checkpoint",
                    str(tiny),
                    "--images",
                    str(tmp_path),
                    "--batch",
                    "2",
                    "--json",
                ]
            )
        return int(end.value.code or 0), json.loads(capsys.readouterr().out)

    code, found = exact()
    assert code == 0
    assert (found["observations"], found["tokens"], found["dtype"], found["differing"]) == (3, 21, "float32", [0] * 7)
    assert len(found["smallest_margins"]) == 7
    assert found["largest_margin_that_differed"] is None
    norm = Operations.norm
    monkeypatch.setattr(Operations, "norm", lambda self, x, weight, eps: norm(self, x, weight, eps).flip(-1))
    code, found = exact()
    assert code == 1
    assert found["observations_differing"] == sum(found["first_differing"]) > 0
    assert found["largest_margin_that_differed"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["random", "--images", "."], "random has no fast path"),
        (["openvla_phi3"], "--images is missing"),
        (["openvla_phi3", "--images", "gone"], "--images gone is no folder"),
    ],
)
def test_nothing_to_compare_is_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["bench", "exact", *arguments])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("rule", ["restricted", "full"])
def test_on_a_gpu_with_kernels_and_graphs(tiny: Path, prompts: Callable[..., list[Prompt]], rule: Rule) -> None:
    on_gpu = VLA(str(tiny), "cuda", "float32", rule)
    assert on_gpu.fast is not None
    padded, batch = both(on_gpu, prompts(list(range(11))))
    expected = generate(on_gpu.model, padded, on_gpu.action_ids, rule)
    for _ in range(2):  # recorded, then replayed
        made = on_gpu.fast.generate(batch)
        assert torch.equal(made.ids, expected.ids)
    assert (on_gpu.fast.operations.name, on_gpu.fast.notes) == ("triton", [])
    assert on_gpu.fast.graphs is not None
