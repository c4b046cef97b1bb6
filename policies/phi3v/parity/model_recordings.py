"""Recorded passes through the model: one file of cases a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from eval.errors import UserError
from policies.phi3v.actions import action_ids
from policies.phi3v.config import Phi3VConfig, parse_config, read_config, read_json
from policies.phi3v.device import threads_for
from policies.phi3v.fast.engine import FastModel
from policies.phi3v.generation import Generated, generate
from policies.phi3v.image_processor import ImageBatch, ImageSettings, prepare
from policies.phi3v.inference import Rule
from policies.phi3v.model import Phi3V
from policies.phi3v.parity.check_list import FEATURES, LOGITS, TEXT_LOGITS, CheckList, stride
from policies.phi3v.processor import Inputs, Sequences, pad_left
from policies.phi3v.random_weights import sample_tensor, shapes
from policies.phi3v.tokenizer import PromptTokenizer
from policies.phi3v.weights import load_model, model_of

CPU = torch.device("cpu")
LOGIT_STRIDES = (97, 193)
"""Of some logits, every N-th id was recorded."""


class ModelFile:
    """``model_<name>.json`` and the arrays beside it. The model is loaded when the first case is replayed."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem.removeprefix("model_")
        self.folder = path.parent
        self.meta = read_json(path)
        if not isinstance(self.meta.get("cases"), dict) or not path.with_suffix(".npz").is_file():
            raise UserError(f"{path} has no cases, or {path.with_suffix('.npz').name} is not beside it.")

    @property
    def random(self) -> bool:
        """No folder holds the weights: they are sampled by the recipe, and the model is big."""
        return not self.meta.get("checkpoint_folder")

    def replays(self) -> dict[str, Callable[[CheckList], None]]:
        """One key a case, and one for the random weights."""
        replays: dict[str, Callable[[CheckList], None]] = {}
        if self.random:
            replays[f"{self.name}/weights"] = self._compare_weights
        for case, case_meta in self.meta["cases"].items():
            compare = self._compare_batch if "prompts" in case_meta else self._compare_case
            replays[f"{self.name}/{case}"] = partial(compare, case, case_meta)
        return replays

    # ---- what the cases need -------------------------------------------------------------------------------------

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        with np.load(self.folder / f"model_{self.name}.npz") as file:
            return {name: file[name] for name in file.files}

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        own = self.folder / f"{self.name}_tensors.json"
        return read_json(own if own.is_file() else self.folder / "fullclip_tensors.json")

    @cached_property
    def _config(self) -> Phi3VConfig:
        meta = self._tensors
        content = {**meta["text_config"], "rope_scaling": {"type": "su", **meta["rope_scaling"]}}
        content["img_processor"] = {**content["img_processor"], "clip_config": meta["clip_config"]}
        return parse_config(content)

    def _sample_tensor(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        return sample_tensor(name, shape, int(self._tensors["seed"]), self._config.hidden).float()

    @cached_property
    def model(self) -> Phi3V:
        """The model in float32 on the CPU."""
        if self.random:
            expected = shapes(self._config)
            return model_of(self._config, {name: self._sample_tensor(name, shape) for name, shape in expected.items()})
        place = self.folder / self.meta["checkpoint_folder"]
        return load_model(place, read_config(place), CPU, torch.float32)

    @cached_property
    def tokenizer(self) -> PromptTokenizer:
        """The tokenizer of its checkpoint."""
        return PromptTokenizer(self.folder / (self.meta.get("checkpoint_folder") or self.meta["tokenizer_folder"]))

    @cached_property
    def _parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    def _images(self, names: list[str], num_crops: int) -> ImageBatch:
        files = [self.folder / "model_pictures" / f"{name}.png" for name in names]
        return prepare([np.asarray(Image.open(file).convert("RGB")) for file in files], ImageSettings(num_crops))

    def _of(self, case: str) -> dict[str, Any]:
        return {name.split("/", 1)[1]: array for name, array in self._arrays.items() if name.split("/", 1)[0] == case}

    def _made_fast(self, inputs: Inputs, rule: Rule) -> Generated:
        fast = FastModel(self.model, action_ids(self.tokenizer.vocab_size), rule)
        ids = [row[mask.bool()].numpy() for row, mask in zip(inputs.input_ids, inputs.attention_mask, strict=True)]
        return fast.generate(Sequences(ids, inputs.images), keep_logits=True)

    def _made(self, inputs: Inputs, rule: Rule) -> Generated:
        return generate(self.model, inputs, action_ids(self.tokenizer.vocab_size), rule)

    # ---- comparisons ---------------------------------------------------------------------------------------------

    def _compare_weights(self, checks: CheckList) -> None:
        meta = self._tensors["tensors"]
        tensors = (self._sample_tensor(name, tuple(case_meta["shape"])).numpy().tobytes() for name, case_meta in meta.items())
        sums = [hashlib.sha256(data).hexdigest() for data in tensors]
        checks.same(f"{self.name}/weights", "tensors", sums, [case_meta["sha256_float32"] for case_meta in meta.values()])

    def _compare_case(self, case: str, case_meta: dict[str, Any], checks: CheckList) -> None:
        key, recorded = f"{self.name}/{case}", self._of(case)
        with torch.inference_mode(), threads_for(self._parameters, CPU):
            if "prompt" in case_meta:
                images = self._images(case_meta["images"], case_meta.get("num_crops", 1))
                ids = self.tokenizer.encode(case_meta["prompt"], images.tokens)
                checks.same(key, "token ids", ids, recorded["input_ids"])
                checks.same(key, "picture sizes", images.image_sizes, recorded["image_sizes"])
                inputs = Inputs(*pad_left([ids]), images)
                embeddings = self._compare_embeddings(key, inputs, recorded, checks)
            else:
                inputs = Inputs(*pad_left([recorded["input_ids"].tolist()]), None)
                embeddings = self.model.embed(inputs.input_ids)
            limit = LOGITS if inputs.images else TEXT_LOGITS
            self._compare_language(key, self.model.hidden_states(embeddings)[0], recorded, checks, limit)
            for rule in ("full", "restricted"):
                if f"greedy_{rule}_ids" in recorded:
                    self._compare_greedy(key, self._made(inputs, rule), rule, recorded, checks, limit)
                    self._compare_greedy(key, self._made_fast(inputs, rule), rule, recorded, checks, limit, "fast: ")

    def _compare_embeddings(self, key: str, inputs: Inputs, recorded: dict[str, Any], checks: CheckList) -> torch.Tensor:
        """What the images become; the embeddings of the whole prompt are returned."""
        images, model = inputs.images, self.model
        assert images is not None
        features = model.patch_features(images.crops)[images.crop_rows]
        tokens = torch.cat([model.image_tokens(each, size) for each, size in zip(features, images.image_sizes, strict=True)])
        embeddings = model.embed(inputs.input_ids, images.crops, images.crop_rows, images.image_sizes)
        made = {
            "vision_features": features.flatten(0, 1), "hd_merged": tokens,
            "projected": model.project(tokens), "inputs_embeds": embeddings[0],
        }  # fmt: skip
        for name, array in made.items():
            if name not in recorded:
                continue
            every = int(recorded.get(f"{'vision_features' if name == 'hd_merged' else name}_stride", 1))
            checks.near(key, name.replace("_", " "), FEATURES, (array[..., ::every, :], recorded[name]))
        return embeddings

    def _compare_language(
        self, key: str, states: torch.Tensor, recorded: dict[str, Any], checks: CheckList, limit: float
    ) -> None:
        total = len(states)
        if "final_hidden" in recorded:
            every = int(recorded.get("final_hidden_stride", stride(total, len(recorded["final_hidden"]))))
            checks.near(key, "last hidden states", limit, (states[::every], recorded["final_hidden"]))
        pairs = []
        if "logits_last" in recorded:
            pairs.append((self.model.logits(states[-1]), recorded["logits_last"]))
        if "logits_action_all" in recorded:
            every = stride(total, len(recorded["logits_action_all"]))
            pairs.append((self._action_logits(states[::every]), recorded["logits_action_all"]))
        if "logits_strided" in recorded:
            rows, kept = recorded["logits_strided"].shape
            logits = self.model.logits(states[-rows:])
            pairs.append((logits[:, :: stride(logits.shape[-1], kept, LOGIT_STRIDES)], recorded["logits_strided"]))
        if pairs:
            checks.near(key, "logits", limit, *pairs)
        if "argmax_all" in recorded:
            logits = self.model.logits(states)
            chosen = logits.gather(1, torch.from_numpy(recorded["argmax_all"]).long()[:, None])[:, 0]
            short = float((logits.max(-1).values - chosen).max())
            checks.value(key, "recorded likeliest ids fall short by", short, limit, "1", total)

    def _action_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        ids = action_ids(self.tokenizer.vocab_size)
        return self.model.logits(hidden)[..., ids.start : ids.stop]

    def _compare_greedy(
        self,
        key: str,
        made: Generated,
        rule: Rule,
        recorded: dict[str, Any],
        checks: CheckList,
        limit: float,
        path: str = "",
    ) -> None:
        start = f"greedy_{rule}_"
        expected = recorded[f"{start}ids"]
        checks.same(key, f"{path}generated ids, {rule}", made.ids.reshape(expected.shape), expected)
        ids, logits = action_ids(self.tokenizer.vocab_size), made.logits
        assert logits is not None
        actions = logits[..., ids.start : ids.stop]
        pairs = []
        if f"{start}logits_action" in recorded:
            array = recorded[f"{start}logits_action"]
            pairs.append((actions if array.ndim == 3 else actions[0], array))
        if f"{start}logits_strided" in recorded:
            array = recorded[f"{start}logits_strided"]
            pairs.append((logits[0][:, :: stride(logits.shape[-1], array.shape[-1], LOGIT_STRIDES)], array))
        if f"{start}margin" in recorded:
            best = (actions if rule == "restricted" else logits).topk(2, dim=-1).values
            array = recorded[f"{start}margin"]
            pairs.append(((best[..., 0] - best[..., 1]).reshape(array.shape), array))
        if pairs:
            checks.near(key, f"{path}logits and margins, {rule}", limit, *pairs)

    def _compare_batch(self, case: str, case_meta: dict[str, Any], checks: CheckList) -> None:
        key, recorded = f"{self.name}/{case}", self._of(case)
        num_crops = case_meta.get("num_crops", 1)
        with torch.inference_mode(), threads_for(self._parameters, CPU):
            each = [self._images(names, num_crops) for names in case_meta["images"]]
            sequences = [self.tokenizer.encode(p, images.tokens) for p, images in zip(case_meta["prompts"], each, strict=True)]
            inputs = Inputs(*pad_left(sequences), self._images([n for names in case_meta["images"] for n in names], num_crops))
            images = inputs.images
            assert images is not None
            checks.same(key, "token ids", inputs.input_ids, recorded["input_ids"])
            checks.same(key, "mask and positions", [*inputs.attention_mask, *inputs.position_ids],
                        [*recorded["attention_mask"], *recorded["position_ids"]])  # fmt: skip
            checks.same(key, "picture sizes", images.image_sizes, recorded["image_sizes"])
            embeddings = self.model.embed(inputs.input_ids, images.crops, images.crop_rows, images.image_sizes)
            placed = self.model.hidden_states(embeddings, inputs.attention_mask, inputs.position_ids)
            plain = self.model.hidden_states(embeddings, inputs.attention_mask, torch.arange(inputs.input_ids.shape[1])[None])
            last = self.model.logits(placed[:, -1])
            pairs = [(last, recorded["logits_last_with_position_ids"])]
            if "logits_last_without_position_ids" in recorded:
                pairs.append((self.model.logits(plain[:, -1]), recorded["logits_last_without_position_ids"]))
            if "logits_action_tail" in recorded:
                tail = recorded["logits_action_tail"]
                pairs.append((self._action_logits(placed[:, -tail.shape[1] :]), tail))
            checks.near(key, "logits", LOGITS, *pairs)
            alone = [Inputs(*pad_left([ids]), pics) for ids, pics in zip(sequences, each, strict=True)]
            for rule in ("full", "restricted"):
                if f"greedy_{rule}_ids" not in recorded:
                    continue
                made = self._made(inputs, rule)
                self._compare_greedy(key, made, rule, recorded, checks, LOGITS)
                single = [self._made(one, rule) for one in alone]
                checks.same(key, f"one by one: ids, {rule}", torch.cat([one.ids for one in single]), made.ids)
                first, at_once = (
                    torch.cat([g.logits[:, 0] for g in each if g.logits is not None]) for each in (single, [made])
                )
                checks.near(key, f"one by one: logits, {rule}", LOGITS, (first, at_once))
                self._compare_greedy(key, self._made_fast(inputs, rule), rule, recorded, checks, LOGITS, "fast: ")
