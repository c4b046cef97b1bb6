"""In LeRobot's interpreter: its ``eval_policy_all`` plays actions that were recorded here, in environments of our plug-in.

    LEROBOT_ENV/bin/python tools/interop/lerobot_oracle.py ACTIONS.npy TASK

ACTIONS.npy: (T, 7), what the oracle commanded in the first initial state of the task. Prints what LeRobot counted, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from lerobot.envs import EnvConfig, make_env, make_env_pre_post_processors
from lerobot.policies import PreTrainedPolicy
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.processor import PolicyProcessorPipeline
from lerobot.scripts.lerobot_eval import eval_policy_all
from lerobot.utils.import_utils import register_third_party_plugins


class Recorded(PreTrainedPolicy):  # type: ignore[misc,unused-ignore]
    """Says what was recorded, step by step, then stays where it is (a run ends where the oracle says that it is done)."""

    config_class, name = ACTConfig, "recorded"

    def __init__(self, actions: np.ndarray[Any, Any]) -> None:
        super().__init__(ACTConfig())
        self.actions, self.step = torch.from_numpy(actions.astype(np.float32)), 0
        self.seen: dict[str, Any] = {}

    def reset(self) -> None:
        """At the first step."""
        self.step = 0

    def select_action(self, batch: dict[str, Any], **_: Any) -> torch.Tensor:  # noqa: ANN401
        """(1, 7)."""
        self.seen = {name: list(value.shape) for name, value in batch.items() if hasattr(value, "shape")}
        self.seen["task"] = batch["task"]
        self.step += 1
        if self.step <= len(self.actions):
            return self.actions[None, self.step - 1]
        hold = torch.zeros(1, 7)
        hold[0, 6] = self.actions[-1, 6]
        return hold

    def predict_action_chunk(self, batch: dict[str, Any], **_: Any) -> torch.Tensor:  # noqa: ANN401
        """(1, 1, 7): a chunk of one."""
        return self.select_action(batch)[:, None]

    def forward(self, batch: dict[str, Any]) -> Any:  # noqa: ANN401
        """A recording has nothing to learn."""
        raise TypeError("a recording is played, not trained")

    def get_optim_params(self) -> Any:  # noqa: ANN401
        """None: it has no parameters."""
        return {}


def main() -> None:
    """Play it."""
    actions, task = np.load(sys.argv[1])[:, :7], sys.argv[2]
    register_third_party_plugins()
    config = EnvConfig.get_choice_class("simpler")(task=task)
    policy, nothing = Recorded(actions), PolicyProcessorPipeline(steps=[])
    before, after = make_env_pre_post_processors(config, policy.config)
    envs = make_env(config, n_envs=1)
    told = eval_policy_all(envs, policy, before, after, nothing, lambda action: action, 1, start_seed=0)
    print(json.dumps({"overall": told["overall"], "steps": policy.step, "seen": policy.seen}))


if __name__ == "__main__":
    main()
