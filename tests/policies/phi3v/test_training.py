"""Training of Phi-3-vision policies: data, losses, going on, and what is saved. Formulas of the tests are their own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.checkpoints.finding import Watched, find_checkpoints
from eval.errors import UserError

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from demonstrations import Killed, Listening, MadeUp, camera_image, job

import policies.openvla_phi3.training
import policies.tracevla_phi3.training
from policies.openvla_phi3 import OpenVLAPhi3
from policies.openvla_phi3.prompt import model_prompt as one_image
from policies.phi3v.action_postprocessing import Gripper, controller_command
from policies.phi3v.actions import decode
from policies.phi3v.camera_transforms import from_stored, jpeg_decode, jpeg_encode
from policies.phi3v.processor import make_inputs
from policies.phi3v.statistics import read_ranges
from policies.phi3v.training import loop, window
from policies.phi3v.training.augmentation import augment, random_numbers, shift, to_hsv, to_rgb
from policies.phi3v.training.batches import Batch, changed, to_change
from policies.phi3v.training.decoding import Decoder, resampled
from policies.phi3v.training.fusion import compile_blocks
from policies.phi3v.training.labels import model_values, token_ids
from policies.phi3v.training.loop import Training
from policies.phi3v.training.loss import Measured, measure, target_logits
from policies.phi3v.training.recipe import Recipe
from policies.phi3v.training.saving import save_checkpoint
from policies.phi3v.training.scratch import SMALL, new_model
from policies.phi3v.vla import VLA
from policies.phi3v.weights import load_model
from policies.tracevla_phi3.prompt import model_prompt as two_images
from policies.training import PRESETS, Settings

ONE = Recipe("openvla_phi3", 1, lambda text, image, _: one_image(text, image))
TWO = Recipe("tracevla_phi3", 2, two_images)
train = policies.openvla_phi3.training.train
INSTRUCTION = "put the carrot on the plate"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Listening]:
    """Four steps of a tiny model, saved after the second one."""
    out, told = tmp_path_factory.mktemp("trained"), Listening()
    train(job(out, max_steps=4, save_steps=2, image_aug=True, image_shift=0.1, held_out=0.5, eval_every=4), told)
    return out, told


# ---- what is shown -------------------------------------------------------------------------------------------------


def test_what_is_trained_on_is_what_is_shown_when_it_plays(tiny: Path, make_info, make_seen, tmp_path: Path) -> None:
    policy = OpenVLAPhi3(str(tiny), "cpu")
    policy.reset([make_info(instruction=INSTRUCTION)])
    given = policy._inputs([make_seen(image=camera_image(3), instruction=INSTRUCTION)])[0].prompt
    played = make_inputs(policy.vla.tokenizer, [given], policy.vla.image_settings)
    samples = Training(job(tmp_path), Listening(), ONE).samples
    batch = samples.plain_batch(np.array([3]))
    length = played.input_ids.shape[1]
    assert batch.input_ids[0, :length].tolist() == played.input_ids[0].tolist()
    assert batch.input_ids[0, length:].tolist() == batch.targets[0, :7].tolist()
    assert torch.equal(batch.images.pixel_values, played.images.pixel_values)
    assert batch.at[0].tolist() == list(range(length - 1, length + 7))
    assert batch.targets[0, 7] == 32000


def test_an_image_with_a_trace_is_shown_as_the_policy_shows_it(tmp_path: Path) -> None:
    from policies.tracevla_phi3.images import _views

    samples = Training(job(tmp_path, trace_dropout=0.5), Listening(), TWO).samples
    traced, plain, dropped = samples.prompts([1, 2, 1], [False, False, True])
    assert "historial" in traced.text
    small = next(step.traced for n, step in enumerate(MadeUp().steps(0)) if n == 1)
    drawn = type("Drawn", (), {"image": small, "has_trace": True})
    assert np.array_equal(traced.images[1], _views(traced.images[0], drawn).traced)
    for prompt in (plain, dropped):
        assert prompt.text == f"<|image_1|><|image_2|>\nWhat action should the robot take to {INSTRUCTION}?"
        assert prompt.images[0] is prompt.images[1]
    with_trace = [(samples.batch(n, n + 1).input_ids[0] < 0).sum() for n in range(3)]
    assert with_trace == [2 * 313] * 3


def test_labels_are_the_reverse_of_what_a_policy_does() -> None:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(-0.05, 0.05, (40, 3)), rng.uniform(-0.3, 0.3, (40, 3)), np.arange(40) // 20 % 2])
    hand = Gripper("widowx")
    commands = np.array([controller_command(row, hand) for row in values])
    assert np.allclose(model_values(commands, "widowx", "rotation_vector", "command"), values, atol=1e-12)
    assert np.array_equal(model_values(values, "widowx", "euler", "opening"), values)


def test_a_google_robot_closes_when_its_demonstration_did() -> None:
    commands = np.zeros((60, 7))
    commands[10:25, 6], commands[40:55, 6] = 1.0, -1.0
    hand = Gripper("google_robot")
    values = model_values(commands, "google_robot", "rotation_vector", "command")
    played = np.array([controller_command(row, hand)[6] for row in values])
    assert np.array_equal(played, commands[:, 6])


def test_bins_are_those_of_the_quantiles(trained: tuple[Path, Listening]) -> None:
    out, _ = trained
    values = np.array([step.action for episode in (0, 1) for step in MadeUp().steps(episode)])
    span = read_ranges(out / "checkpoint-4").ranges["widowx"]
    assert np.allclose(span.q01, np.quantile(values, 0.01, axis=0), atol=1e-15)
    assert np.allclose(span.q99, np.quantile(values, 0.99, axis=0), atol=1e-15)
    ids = token_ids(values, span, np.zeros(7, np.bool_), 32000)
    back = span.unnormalise(decode(ids, 32000))
    inside = np.clip(values, span.q01, span.q99)
    assert np.abs(back - inside)[:, :6].max() <= ((span.q99 - span.q01)[:6]).max() / 255
    assert ids[values[:, 6] == 1, 6].tolist() == [31744] * int((values[:, 6] == 1).sum())


def test_augmentation_changes_images_within_its_limits() -> None:
    images = torch.from_numpy(np.stack([np.repeat(np.repeat(camera_image(n), 4, 0), 4, 1) for n in (1, 5)]))
    numbers = torch.from_numpy(random_numbers(2, np.random.default_rng(1)))
    changed = augment(images, numbers)
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    assert torch.equal(changed, augment(images, numbers))
    assert (changed.float().mean((1, 2, 3)) - images.float().mean((1, 2, 3))).abs().max() < 0.35 * 255
    pixels = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(to_rgb(*to_hsv(pixels)), pixels, atol=1e-6)


def test_shifted_images_show_the_same_elsewhere_and_all_of_a_sample_alike(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (41, 21, 3), np.uint8)  # edges are 40 and 20 pixels apart
    left, up = shift(torch.from_numpy(np.stack([image, image])), torch.tensor([[0.1, 0.0], [0.0, 0.25]])).numpy()
    assert np.array_equal(left[:, :-2], image[:, 2:])
    assert np.array_equal(left[:, -2:], np.repeat(image[:, -1:], 2, axis=1))
    assert np.array_equal(up[:-10], image[10:])

    training = Training(job(tmp_path, image_shift=0.1, trace_dropout=0.0), Listening(), TWO)
    batch = training.samples.batch(0, 4)
    made = to_change(batch, 0, training.settings)
    assert made.changes is not None
    assert made.changes.numbers is None
    shares = made.changes.shares.numpy()
    assert 0.01 < np.abs(shares).max() <= 0.1
    assert shares.shape[1] > len(np.unique(shares, axis=1).T) == 4, "the two images of a sample move together"
    again = changed(to_change(training.samples.batch(2, 4), 2, training.settings), torch.device("cpu")).images
    of_two = int(again.crop_rows.max()) + 1
    assert torch.equal(changed(made, torch.device("cpu")).images.views[-of_two:], again.views)


def test_images_resampled_together_are_those_of_the_policy_to_the_bit() -> None:
    random = np.random.default_rng(0)
    files = [jpeg_encode(random.integers(0, 256, (256, 256, 3), np.uint8)) for _ in range(2)]
    files.append(jpeg_encode(random.integers(0, 256, (61, 48, 3), np.uint8)))
    for file in files:
        image = torch.from_numpy(jpeg_decode(file))[None]
        assert np.array_equal(resampled(image, 336)[0].numpy(), from_stored(file))
    if torch.cuda.is_available():
        for ours, theirs in zip(Decoder(torch.device("cuda"))(files), map(from_stored, files), strict=True):
            assert np.array_equal(ours, theirs)


# ---- the losses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["action_token_only", "full"])
def test_loss_and_gradients_are_those_of_the_formula(rule: str, tmp_path: Path) -> None:
    training = Training(job(tmp_path, loss=rule), Listening(), ONE)
    batch = training.samples.plain_batch(np.array([0, 5]))
    model = training.model
    measured = training.measured(batch)
    measured.loss.backward()
    gradients = {name: each.grad.clone() for name, each in model.named_parameters()}
    model.zero_grad()

    total, right, count = torch.zeros(()), 0, 0
    for row in range(2):  # one sample at a time, without padding, log of the softmax written out
        length = int(batch.at[row, 0]) + 1
        ids = torch.cat([batch.input_ids[row, :length], batch.targets[row]])[None]
        crops = batch.images.crops[batch.images.crop_rows[row]]
        embedded = model.language.model.embed_tokens(ids.clamp(min=0))
        features = model.patch_features(crops)
        embedded = torch.where((ids < 0)[..., None], 0 * embedded, embedded)
        embedded = embedded.index_put((ids < 0).nonzero(as_tuple=True), model.project(model.image_tokens(features, (336, 336))))
        logits = model.language(inputs_embeds=embedded).logits[0].float()
        places = range(7) if rule == "action_token_only" else range(8)
        for place in places:
            scores = logits[length - 1 + place]
            scores = scores[31744:32000] if rule == "action_token_only" else scores
            target = int(batch.targets[row, place]) - (31744 if rule == "action_token_only" else 0)
            total = total + torch.log(torch.exp(scores - scores.max()).sum()) + scores.max() - scores[target]
            right += int(place < 7 and int(scores.argmax()) == target)
            count += 1
    (total / count).backward()
    assert float(measured.loss.detach()) == pytest.approx(float((total / count).detach()), abs=1e-5)
    assert float(measured.accuracy) == pytest.approx(right / 14)
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, gradients[name], atol=1e-5), name


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
@pytest.mark.parametrize("settings", [{"gradient_checkpointing": True}, {"lora_rank": 2}, {"freeze_vision_model": True}])
def test_compiled_blocks_compute_the_same_under_the_same_names(settings: dict[str, object], tmp_path: Path) -> None:
    if "lora_rank" in settings:
        pytest.importorskip("peft", reason="peft is not installed")
    training = Training(job(tmp_path, **settings), Listening(), ONE)
    batch = training.samples.plain_batch(np.array([0, 5]))
    names, plain = list(training.model.state_dict()), losses_and_gradients(training, batch)
    compile_blocks(training.model)
    assert list(training.model.state_dict()) == names
    compiled = losses_and_gradients(training, batch)
    assert float(compiled.pop("loss")) == pytest.approx(float(plain.pop("loss")), abs=1e-5)
    for name, gradient in compiled.items():
        assert torch.allclose(gradient, plain[name], atol=1e-5), name


def losses_and_gradients(training: Training, batch: Batch) -> dict[str, torch.Tensor]:
    training.model.zero_grad()
    measured = training.measured(batch)
    measured.loss.backward()
    return {"loss": measured.loss.detach(), **{name: each.grad.clone() for name, each in training.trainable.items()}}


# ---- course --------------------------------------------------------------------------------------------------------


def test_it_tells_saves_evaluates_and_measures_what_is_held_out(trained: tuple[Path, Listening]) -> None:
    out, told = trained
    assert [step for step, _ in told.losses()] == [1, 2, 3, 4]
    assert {"token_accuracy", "l1", "learning_rate", "gradient_norm"} <= told.logged[0][1].keys()
    assert [step for step, metrics in told.logged if "held_out_loss" in metrics] == [2, 4]
    assert told.evaluated == ["checkpoint-4"]
    assert told.logged[-1] == (4, {"success_rate": 0.5})
    assert sorted(path.name for path in out.iterdir()) == ["base", "checkpoint-2", "checkpoint-4", "frames", "resume-4"]
    assert json.loads((out / "checkpoint-2/training.json").read_text())["complete"] is False
    assert json.loads((out / "checkpoint-4/training.json").read_text())["complete"] is True


def test_the_folder_of_a_training_stands_for_its_checkpoints_alone(trained: tuple[Path, Listening]) -> None:
    out, _ = trained
    assert [checkpoint.name for checkpoint in find_checkpoints([str(out)])] == ["checkpoint-2", "checkpoint-4"]
    watched = Watched(out)
    watched.look()
    assert [checkpoint.name for checkpoint in watched.look()] == ["checkpoint-2", "checkpoint-4"]
    assert watched.left() == []


def test_the_pace_is_that_of_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = [0.0]  # an hour passes with every evaluation, and a minute before every batch
    moment, batches = time.monotonic, loop.ahead

    def slowly(*arguments: Any) -> Iterator[Batch]:
        for batch in batches(*arguments):
            late[0] += 60
            yield batch

    class Evaluated(Listening):
        def evaluate(self, step: int, checkpoint: Path) -> dict[str, float]:
            late[0] += 3600
            return super().evaluate(step, checkpoint)

    monkeypatch.setattr(window.time, "monotonic", lambda: moment() + late[0])
    monkeypatch.setattr(loop, "ahead", slowly)
    told = Evaluated()
    train(job(tmp_path, max_steps=3, batch_size=4, eval_every=1), told)
    steps = [metrics for _, metrics in told.logged if "loss" in metrics]
    assert len(steps) == 3
    assert all(4 / 120 < metrics["samples_per_second"] < 4 / 60 for metrics in steps)
    assert all(0.5 < metrics["waiting_for_data"] < 1 for metrics in steps)


def test_what_was_killed_goes_on_as_if_nothing_had_been(trained: tuple[Path, Listening], tmp_path: Path) -> None:
    out, whole = trained
    settings = {"max_steps": 4, "save_steps": 2, "image_aug": True, "image_shift": 0.1, "held_out": 0.5, "eval_every": 4}
    told = Listening(dies_at=3)
    with pytest.raises(Killed):
        train(job(tmp_path, **settings), told)
    told.dies_at = None
    train(job(tmp_path, resume=True, **settings), told)
    assert told.losses() == whole.losses()
    ours, theirs = (folder / "checkpoint-4/model.safetensors" for folder in (tmp_path, out))
    assert ours.read_bytes() == theirs.read_bytes()


def test_an_evaluation_that_the_end_of_a_training_left_out_is_made_up_for(tmp_path: Path) -> None:
    class Stopped(Listening):
        def evaluate(self, step: int, checkpoint: Path) -> dict[str, float]:
            super().evaluate(step, checkpoint)
            raise Killed

    settings = {"max_steps": 4, "eval_every": 2}
    told = Stopped()
    with pytest.raises(Killed):
        train(job(tmp_path, **settings), told)
    after = Listening(logged=told.logged)
    train(job(tmp_path, resume=True, **settings), after)
    assert after.evaluated == ["checkpoint-2", "checkpoint-4"]
    assert [step for step, metrics in after.logged if "success_rate" in metrics] == [2, 4]
    again = Listening(logged=after.logged)
    train(job(tmp_path, resume=True, **settings), again)
    assert again.evaluated == [], "what was evaluated is not evaluated twice"


def test_an_evaluation_that_is_stopped_with_the_training_is_made_up_for(tmp_path: Path) -> None:
    class Stopped(Listening):
        def evaluate(self, step: int, checkpoint: Path) -> dict[str, float]:
            super().evaluate(step, checkpoint)
            return {}

        def stopping(self) -> bool:
            return bool(self.evaluated)

    settings = {"max_steps": 4, "eval_every": 2}
    told = Stopped()
    assert train(job(tmp_path, **settings), told).step == 2, "a step more, and nobody would know what is left out"
    again = Stopped(logged=told.logged)
    assert train(job(tmp_path, resume=True, **settings), again).step == 2
    after = Listening(logged=again.logged)
    assert train(job(tmp_path, resume=True, **settings), after).complete
    assert told.evaluated == again.evaluated == ["checkpoint-2"]
    assert after.evaluated == ["checkpoint-2", "checkpoint-4"]


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path: Path) -> None:
    told = [Listening(), Listening()]
    train(job(tmp_path / "whole", max_steps=2, batch_size=4), told[0])
    train(job(tmp_path / "parts", max_steps=2, batch_size=4, per_device_batch_size=3, gradient_checkpointing=True), told[1])
    for (_, one), (_, other) in zip(told[0].losses(), told[1].losses(), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_what_is_asked_to_stop_saves_and_goes_on(tmp_path: Path) -> None:
    told = Listening(stops_at=1)
    assert train(job(tmp_path, max_steps=3), told).step == 2
    assert json.loads((tmp_path / "checkpoint-2/training.json").read_text())["complete"] is False
    told.stops_at = None
    assert train(job(tmp_path, resume=True, max_steps=3), told).complete is True
    assert [step for step, _ in told.losses()] == [1, 2, 3]


def test_the_learning_rate_rises_and_falls() -> None:
    from policies.phi3v.training.optimisation import learning_rate

    settings = Settings(init="tiny", learning_rate=1.0, schedule="cosine", warmup_steps=10)
    rates = [learning_rate(step, 110, settings) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[-1] < 1e-3
    assert all(PRESETS["tracevla_phi3"][name] == value for name, value in {"learning_rate": 4e-5, "wd": 0.01}.items())


def test_gradients_that_are_not_finite_end_it_and_what_was_saved_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter(range(100))

    def measured(*given: object) -> Measured:
        made = measure(*given)
        return replace(made, loss=made.loss * (1 if next(steps) < 4 else float("nan")))

    monkeypatch.setattr("policies.phi3v.training.loop.measure", measured)
    with pytest.raises(UserError, match="Some gradients up to step 6 are not finite; go on from what was saved before"):
        train(job(tmp_path, max_steps=8, save_steps=2, log_steps=3, held_out=0.0), Listening())
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]


@pytest.mark.slow
def test_sixteen_samples_are_learnt_by_heart_and_told_apart_by_their_images(tmp_path: Path) -> None:
    settings = {"batch_size": 16, "max_steps": 150, "learning_rate": 0.006, "schedule": "cosine", "warmup_steps": 20}
    training = Training(job(tmp_path, **settings, log_steps=150), Listening(), ONE)
    training.run()
    batch = training.samples.plain_batch(np.arange(16))
    assert right(training, batch).mean() >= 0.99
    # Given the labels before it, a label needs no image; the first one has none. So it must follow the images when they change.
    turned = replace(batch, images=replace(batch.images, views=batch.images.views.roll(1, 0)), targets=batch.targets.roll(1, 0))
    assert right(training, turned)[:, 0].mean() >= 0.9
    assert right(training, replace(turned, targets=batch.targets))[:, 0].mean() <= 0.1


def right(training: Training, batch: Batch) -> np.ndarray:
    """(B, 7) whether the likeliest action is the target's, labels before it given."""
    with torch.no_grad():
        said = target_logits(training.model, batch)[:, :7, 31744:32000].argmax(-1) + 31744
    return (said == batch.targets[:, :7]).numpy()


# ---- what is saved -------------------------------------------------------------------------------------------------


def test_the_saved_folder_is_the_model(trained: tuple[Path, Listening]) -> None:
    vla = VLA(str(trained[0] / "checkpoint-4"), "cpu")
    assert vla.remarks == []
    assert vla.ranges.keys == {"widowx": "bridge_orig"}


def test_both_policies_play_what_was_saved(trained: tuple[Path, Listening], tmp_path: Path, cli: Callable[..., object]) -> None:
    policies.tracevla_phi3.training.train(job(tmp_path / "trace", max_steps=1), Listening())
    for policy, folder in (("openvla_phi3", trained[0] / "checkpoint-4"), ("tracevla_phi3", tmp_path / "trace/checkpoint-1")):
        world = ("--limit", 1, "--max-steps", 1, "--world", "fake_world", "--workers", 1, "--video", "none", "--device", "cpu")
        where = ("--task", "widowx_carrot_on_plate", "--policy", policy, "--checkpoint", folder, "--out", tmp_path / policy)
        code, _, err = cli("run", *world, *where)
        assert code == 0, err


def test_a_policy_trained_on_test_placements_says_so(trained: tuple[Path, Listening], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained[0] / "checkpoint-4", tmp_path / "copy"))
    record = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps({**record, "test_placements": True}))
    assert VLA(str(folder), "cpu").remarks == ["TRAINED ON TEST PLACEMENTS"]


def test_a_small_model_is_easily_moved(tmp_path: Path) -> None:
    from policies.phi3v.image_processor import USUAL
    from policies.phi3v.training.scratch import write_surroundings

    model = new_model("small", 0)
    places = model.vision.embeddings.position_embedding.weight[1:].detach()  # row by row, 24 a row
    alike = torch.nn.functional.cosine_similarity(places[5 * 24 + 7], places, dim=-1)
    assert set(alike.topk(5).indices.tolist()) == {5 * 24 + 7, 4 * 24 + 7, 6 * 24 + 7, 5 * 24 + 6, 5 * 24 + 8}
    assert 20e6 <= sum(parameter.numel() for parameter in model.parameters()) <= 30e6
    write_surroundings(tmp_path / "base", "small")
    save_checkpoint(tmp_path / "saved", model.state_dict(), tmp_path / "base", USUAL, {}, {})
    sizes = [path.stat().st_size for path in (tmp_path / "saved").iterdir()]
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) <= 56e6
    from policies.phi3v.config import parse_config

    again = load_model(tmp_path / "saved", parse_config(SMALL), torch.device("cpu"), torch.float32)
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor.bfloat16().float()), name


def test_adapters_are_merged_into_what_is_saved(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft", reason="peft is not installed (extra train)")
    settings = {"init": None, "checkpoint": str(tiny), "lora_rank": 4, "learning_rate": 0.01, "gradient_checkpointing": True}
    training = Training(job(tmp_path, **settings), Listening(), ONE)
    assert all(".lora_" in name for name in training.trainable)
    training.run()
    batch = training.samples.plain_batch(np.array([0]))
    vla = VLA(str(tmp_path / "checkpoint-2"), "cpu")

    with torch.no_grad():
        ours, theirs = target_logits(training.model, batch), target_logits(vla.model, batch)
        before = target_logits(VLA(str(tiny), "cpu").model, batch)
    assert (ours - theirs).abs().max() < 0.1  # saved in bfloat16
    assert (ours - before).abs().max() > 3 * (ours - theirs).abs().max()


# ---- bad input -----------------------------------------------------------------------------------------------------


def refusal(call: Callable[[], object]) -> str:
    """What it is refused with."""
    with pytest.raises(UserError) as error:
        call()
    return str(error.value)


def test_going_on_with_something_else_is_refused(trained: tuple[Path, Listening]) -> None:
    out = trained[0]
    same = {"max_steps": 4, "save_steps": 2, "image_aug": True, "image_shift": 0.1, "held_out": 0.5, "eval_every": 4}
    other = refusal(lambda: train(job(out, MadeUp(fingerprint="other"), resume=True, **same), Listening()))
    assert "datasets are not those" in other
    assert "\n" not in other
    seeded = refusal(lambda: train(job(out, resume=True, **{**same, "seed": 1}), Listening()))
    assert "another --seed" in seeded
    assert "\n" not in seeded


def test_what_cannot_be_trained_is_one_line(copy: Path, tmp_path: Path) -> None:
    from_folder = {"init": None, "checkpoint": str(copy)}
    lines = [refusal(lambda: train(job(tmp_path / "a", init=None), Listening()))]
    assert "--checkpoint" in lines[0]
    assert "--init small" in lines[0]
    (copy / "dataset_statistics.json").unlink()
    lines.append(refusal(lambda: train(job(tmp_path / "b", keep_statistics=True, **from_folder), Listening())))
    assert "dataset_statistics.json" in lines[1]
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    lines.append(refusal(lambda: train(job(tmp_path / "c", **from_folder), Listening())))
    assert "no Phi-3-vision checkpoint" in lines[2]
    assert not [line for line in lines if "\n" in line]


def test_a_full_disk_loses_nothing(trained: tuple[Path, Listening], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import policies.phi3v.training.state as state

    out = Path(shutil.copytree(trained[0], tmp_path / "copy"))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "save_file", full)
    progress = state.read_progress(out)
    assert progress is not None
    line = refusal(lambda: state.save_state(out, progress, {}))
    assert "No space left" in line
    assert "--resume" in line
    assert "\n" not in line
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_a_library_in_rust_says_of_a_full_disk_is_a_line_as_well(tmp_path: Path) -> None:
    from policies.phi3v.training.files import disk_errors

    def write(error: Exception) -> None:
        with disk_errors(tmp_path):
            raise error

    assert "No space left on device" in refusal(lambda: write(Exception("No space left on device (os error 28)")))
    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError("division by zero"))
