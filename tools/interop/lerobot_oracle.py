"""In LeRobot's interpreter: its ``eval_policy_all`` plays actions that were recorded here, in environments of our plug-in.

    LEROBOT_ENV/bin/python tools/interop/lerobot_oracle.py TASK ACTIONS.npy ...

ACTIONS.npy: (T, 7), what the oracle commanded in an initial state of the task, in the order of the plan. They are played one
environment at a time, two in one process, and two in processes of their own; what LeRobot counted of each is printed as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from lerobot.envs import EnvConfig, close_envs, make_env, make_env_pre_post_processors
from lerobot.policies import PreTrainedPolicy
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.processor import PolicyProcessorPipeline
from lerobot.scripts.lerobot_eval import eval_policy_all
from lerobot.utils.import_utils import register_third_party_plugins

WAYS = {"one": (1, False), "two": (2, False), "two processes": (2, True)}
"""Of playing -> environments, and whether each is a process."""


class Recorded(PreTrainedPolicy):  # type: ignore[misc,unused-ignore]
    """Says what was recorded, step by step, then stays where it is (a run ends where the oracle says that it is done)."""

    config_class, name = ACTConfig, "recorded"

    def __init__(self, actions: list[np.ndarray[Any, Any]], environments: int) -> None:
        super().__init__(ACTConfig())
        self.actions = [torch.from_numpy(one.astype(np.float32)) for one in actions]
        self.environments, self.batch, self.step = environments, -1, 0

    def reset(self) -> None:
        """The next initial states, as many as there are environments."""
        self.batch, self.step = self.batch + 1, 0

    def select_action(self, batch: dict[str, Any], **_: Any) -> torch.Tensor:  # noqa: ANN401
        """(n, 7)."""
        self.step += 1
        return torch.stack([self._action(self.batch * self.environments + n) for n in range(self.environments)])

    def _action(self, episode: int) -> torch.Tensor:
        actions = self.actions[
            min(episode, len(self.actions) - 1)
        ]  # LeRobot plays whole batches, and counts what was asked for
        if self.step <= len(actions):
            return actions[self.step - 1]
        hold = torch.zeros(7)
        hold[6] = actions[-1, 6]
        return hold

    def predict_action_chunk(self, batch: dict[str, Any], **_: Any) -> torch.Tensor:  # noqa: ANN401
        """(n, 1, 7): a chunk of one."""
        return self.select_action(batch)[:, None]

    def forward(self, batch: dict[str, Any]) -> Any:  # noqa: ANN401
        """A recording has nothing to learn."""
        raise TypeError("a recording is played, not trained")

    def get_optim_params(self) -> Any:  # noqa: ANN401
        """None: it has no parameters."""
        return {}


def played(task: str, actions: list[np.ndarray[Any, Any]], environments: int, processes: bool) -> dict[str, Any]:
    """What LeRobot counted, episode by episode."""
    config = EnvConfig.get_choice_class("simpler")(task=task)
    policy, nothing = Recorded(actions, environments), PolicyProcessorPipeline(steps=[])
    before, after = make_env_pre_post_processors(config, policy.config)
    envs = make_env(config, n_envs=environments, use_async_envs=processes)
    try:
        told = eval_policy_all(envs, policy, before, after, nothing, lambda action: action, len(actions), start_seed=0)
    finally:
        close_envs(envs)
    metrics = told["per_task"][0]["metrics"]
    return {"successes": metrics["successes"], "solved_steps": metrics["sum_rewards"], "steps": policy.step}


def main() -> None:
    """Play them in every way."""
    task, actions = sys.argv[1], [np.load(file)[:, :7] for file in sys.argv[2:]]
    register_third_party_plugins()
    print(json.dumps({way: played(task, actions, *how) for way, how in WAYS.items()}))


if __name__ == "__main__":
    main()
