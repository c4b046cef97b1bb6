"""The policy ``demonstrator``, which ``simpler-eval record`` plays with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eval.errors import EpisodeLost, UserError
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, Policy, PolicyDescription
from policies.demonstrator.options import levels_of, share_of
from policies.disturbance import Drift, generator
from policies.motion import hand_of
from policies.numbers import plain
from policies.registry import check_episodes, check_policy, describe, is_users_own, load_policy, with_device

Act = Callable[[Sequence[Observation]], Sequence[Action | EpisodeLost]]


@dataclass
class _Episode:
    """The chance of one episode; sampled from its name alone, so that it is the same on every machine."""

    drift: Drift
    turns: np.random.RandomState


class Demonstrator:
    """Plays what an expert or a learner commands, disturbed or not; ``Action.label`` is what the expert would do.

    Without a learner the expert plays: with noise on its commands it gets where it would not have gone, and shows the way
    back. With a learner it is DAgger (Ross, Gordon and Bagnell, 2011): the learner brings the episode wherever it does, and
    the expert says what should be done there.
    """

    def __init__(
        self,
        expert: str = "oracle",
        learner: str | None = None,
        beta: float | str = 0.0,
        disturb: float | str = 0.0,
        device: str | None = None,
        **learner_options: object,
    ) -> None:
        """Load both.

        Args:
            expert: policy whose actions are the labels, without options; where it has a method ``label`` of the form of
                ``act``, which answers for states that it did not bring about, that one is asked.
            learner: policy that plays; None: the expert.
            beta: chance in every step, 0 to 1, that the expert's action is played instead of the learner's.
            disturb: standard deviation of the noise on the arm's commands, as of :class:`policies.disturbance.Drift`; several
                levels with commas between, of which every episode gets one.
            device: for the learner, if it takes one.
            learner_options: for the learner.

        Raises:
            UserError: a policy or an option cannot be used.
        """
        self._beta, self._levels = share_of(beta), levels_of(disturb)
        _refuse_idle(learner, self._beta, learner_options)
        self._expert_name, self._learner_name = expert, learner
        self._expert = load_policy(expert)
        self._options = {} if learner is None else with_device(learner, learner_options, device)
        self._learner = None if learner is None else load_policy(learner, self._options)
        policies = [self._expert, *([self._learner] if self._learner else [])]
        self.needs_image = any(getattr(policy, "needs_image", True) for policy in policies)
        self.needs_privileged = any(getattr(policy, "needs_privileged", False) for policy in policies)
        prepare = getattr(self._learner, "prepare_observation", None)
        if callable(prepare):
            self.prepare_observation = lambda observation: prepare(_as_shown(self._learner, observation))
        self._episodes: dict[str, _Episode] = {}

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Raise UserError for options that cannot be used, of both policies, without making them."""
        beta, learner, options = share_of(arguments["beta"]), arguments["learner"], arguments.get("learner_options", {})
        levels_of(arguments["disturb"])
        _refuse_idle(learner, beta, options)
        check_policy(arguments["expert"], {}, own=False)
        if learner is not None and not is_users_own(learner):
            check_policy(learner, with_device(learner, options, arguments["device"]))

    @property
    def preferred_batch(self) -> int | None:
        """The learner's."""
        return getattr(self._learner, "preferred_batch", None)

    def check_episodes(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Ask both. Raises UserError if one of them cannot play these."""
        for policy in self._both():
            check_episodes(policy, episodes)

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes with both."""
        for policy in self._both():
            policy.reset(episodes)
        for info in episodes:
            chance = generator(f"demonstration {info.episode}")
            level = self._levels[chance.randint(len(self._levels))]
            turns = generator(f"turns {info.episode}")
            self._episodes[info.episode] = _Episode(Drift(hand_of(info.robot), level, chance), turns)

    def act(self, observations: Sequence[Observation]) -> list[Action | EpisodeLost]:
        """What is played, with what the expert would do as its label; an episode that one of the two loses is lost."""
        wanted = self._asked(self._expert, getattr(self._expert, "label", self._expert.act), observations)
        if self._learner is None:
            if not any(self._levels):
                return list(wanted)
            chosen = wanted
        else:
            answered = self._asked(self._learner, self._learner.act, observations)
            chosen = [
                want if self._episodes[observation.episode].turns.random_sample() < self._beta else answer
                for observation, want, answer in zip(observations, wanted, answered, strict=True)
            ]
        return [self._played(*each) for each in zip(observations, wanted, chosen, strict=True)]

    def _played(
        self, observation: Observation, want: Action | EpisodeLost, action: Action | EpisodeLost
    ) -> Action | EpisodeLost:
        if isinstance(want, EpisodeLost):
            return want
        if isinstance(action, EpisodeLost):
            return action
        drift = self._episodes[observation.episode].drift.at(observation.step)
        return Action(action.command + np.append(drift, 0.0), action.terminate, action.notes, label=want.command)

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Tell those who want to know."""
        for policy in self._both():
            method: Any = getattr(policy, "end", None)
            if callable(method):
                method(episodes, results)
        for info in episodes:
            self._episodes.pop(info.episode, None)

    def describe(self) -> PolicyDescription:
        """What decides the numbers of both; weights and tracker are the learner's."""
        expert = describe(self._expert, self._expert_name)
        settings: dict[str, Any] = {"expert": expert.identity.model_dump(mode="json"), "disturb": list(self._levels)}
        remarks = [f"expert {self._expert_name}", *expert.remarks]
        if any(self._levels):
            remarks.append(f"disturbed {'/'.join(plain(level) for level in self._levels)}")
        description = PolicyDescription(name="demonstrator")
        if self._learner is not None and self._learner_name is not None:
            learner = describe(self._learner, self._learner_name, self._options)
            settings |= {"learner": learner.identity.model_dump(mode="json"), "beta": self._beta}
            remarks = [f"learner {self._learner_name}", *learner.remarks, *remarks, f"beta {plain(self._beta)}"]
            kept = learner.model_dump(include={"weights", "tracker", "tracker_weights", "code", "dtype", "preset", "details"})
            description = description.model_copy(update=kept)
        return description.model_copy(update={"settings": settings, "remarks": tuple(remarks)})

    def close(self) -> None:
        """Close both."""
        for policy in self._both():
            policy.close()
        self._episodes.clear()

    def _both(self) -> tuple[Policy, ...]:
        return (self._expert,) if self._learner is None else (self._expert, self._learner)

    @staticmethod
    def _asked(policy: Policy, act: Act, observations: Sequence[Observation]) -> list[Action | EpisodeLost]:
        answers = list(act([_as_shown(policy, observation) for observation in observations]))
        if len(answers) != len(observations):
            raise ValueError(f"{type(policy).__name__} gave {len(answers)} actions for {len(observations)} observations")
        return answers


def _refuse_idle(learner: str | None, beta: float, options: Mapping[str, object]) -> None:
    if learner is None and (options or beta):
        idle = next(iter(options), "beta")
        raise UserError(f"{idle} has no effect on a demonstration without a learner; name one with --policy.")


def _as_shown(policy: Policy | None, observation: Observation) -> Observation:
    """Without what the policy did not ask for: a learner must not see what its expert knows."""
    image = observation.image if getattr(policy, "needs_image", True) else None
    privileged = observation.privileged if getattr(policy, "needs_privileged", False) else None
    return replace(observation, image=image, privileged=privileged)
