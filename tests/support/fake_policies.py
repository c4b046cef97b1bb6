"""Policies that misbehave, and one that checks what it is shown."""

from __future__ import annotations

import numpy as np

from policies.base import Action


class Still:
    """Does nothing."""

    needs_image = False
    needs_privileged = False

    def reset(self, episodes):
        pass

    def act(self, observations):
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self):
        return {"name": "still"}

    def close(self):
        pass


class Looks(Still):
    """Fails unless images, poses and privileged state belong to the step."""

    needs_image = True
    needs_privileged = True

    def act(self, observations):
        for o in observations:
            assert o.image.shape == (32, 48, 3)
            assert (o.image == o.step).all()
            assert o.proprio.tcp_position[0] == o.step
            assert o.privileged.tcp[0] == o.privileged.objects["thing"][0] == o.step
        return super().act(observations)


class Counts(Still):
    """Raises in one episode, which must be begun again after that."""

    def __init__(self, bad):
        self.bad, self.steps = bad, {}

    def reset(self, episodes):
        self.steps |= {e.episode: 0 for e in episodes}

    def act(self, observations):
        for o in observations:
            assert self.steps[o.episode] == o.step
            self.steps[o.episode] += 1
            if o.episode == self.bad and o.step == 2:
                raise ZeroDivisionError("policy bug")
        return super().act(observations)


class Answers(Still):
    """Gives one episode a fixed answer from step 1 on."""

    def __init__(self, bad, answer):
        self.bad, self.answer = bad, answer

    def act(self, observations):
        return [Action(np.asarray(self.answer if o.episode == self.bad and o.step else np.zeros(7))) for o in observations]


class Terminates(Still):
    """Says done at every second step."""

    def act(self, observations):
        return [Action(np.zeros(7), terminate=o.step % 2 == 1) for o in observations]


class Notes(Still):
    """Shows a red and a blue input and says what it meant."""

    needs_image = True

    def act(self, observations):
        red, blue = np.zeros((2, 40, 40, 3), np.uint8)
        red[..., 0] = blue[..., 2] = 255
        notes = {"images": (red, blue), "labels": ("plain", "trace"), "values": np.arange(7) / 10}
        return [Action(np.zeros(7), notes=notes) for _ in observations]
