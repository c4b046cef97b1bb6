"""A scripted policy that looks: it sees the camera's image and feels its arm, and knows nothing of the simulator's state.

It finds things by their colours, projects them onto the table through the known camera, and goes through fixed motions. It
judges places badly on purpose: always succeeding, it would not notice where two worlds differ. It is no baseline: it shows
whether two worlds' images lead a policy to the same acts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription
from policies.numbers import number, plain
from policies.scripted_vision.jobs import JOBS
from policies.scripted_vision.script import Misjudgement, Script

ERROR = 0.015
"""m; with it a quarter to four fifths of the WidowX episodes succeed, and nearly all cans are lifted: hands differ."""
FARTHEST = 0.5
"""m, most that ``error`` may be: more is centimetres taken for metres."""


class ScriptedVisionPolicy:
    """Knows the tasks of ``JOBS``; one script an episode.

    ``error`` is the standard deviation of where it takes a thing to be, m in each direction; 0 nearly always succeeds. Text
    or number; ``UserError`` for anything but 0 to ``FARTHEST``.
    """

    needs_image = True
    needs_privileged = False

    def __init__(self, error: float | str = ERROR) -> None:
        takes = f"scripted_vision takes m, 0 to {FARTHEST:g}, such as error={ERROR}"
        self.error = number("error", error, 0, FARTHEST, takes)
        self._scripts: dict[str, Script] = {}

    def check_episodes(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Raise UserError if one is of a task that it does not know."""
        unknown = sorted({info.task for info in episodes} - set(JOBS))
        if unknown:
            raise UserError(f"scripted_vision does not know {', '.join(unknown)}. It knows: {', '.join(JOBS)}.")

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes."""
        self.check_episodes(episodes)
        for info in episodes:
            self._scripts[info.episode] = Script(JOBS[info.task], Misjudgement(self.error, info))

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """Next action of every episode's script."""
        actions = [self._scripts[observation.episode].act(observation) for observation in observations]
        return [replace(action, notes={"values": action.command}) for action in actions]

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Forget these episodes."""
        for info in episodes:
            self._scripts.pop(info.episode, None)

    def describe(self) -> PolicyDescription:
        """How badly it judges; what is not default is a remark in the title of its tables."""
        remarks = () if self.error == ERROR else (f"error {plain(self.error)} m",)
        return PolicyDescription(name="scripted_vision", settings={"error": self.error}, remarks=remarks)

    def close(self) -> None:
        """Forget everything."""
        self._scripts.clear()
