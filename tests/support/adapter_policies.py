"""One small model that looks at image, state and instruction, behind adapters that each have an error planted."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from policies.base import Action, PolicyDescription
from policies.chunks import ActionChunks
from policies.sticky_gripper import Gripper

CHUNK = 8


def features(image):
    """Numbers that any change of an image changes, whatever its size."""
    height, width = image.shape[:2]
    parts = [image[: height // 2, : width // 2], image[: height // 2, width // 2 :], image[height // 2 :]]
    means = np.concatenate([part.reshape(-1, 3).mean(axis=0) for part in parts]) / 255.0
    return np.concatenate([means, [image.astype(np.float64).std() / 64.0]])


class Model:
    """(CHUNK, 7): translation, roll pitch yaw, opening. A fixed random network."""

    def __init__(self):
        self.weights = np.random.default_rng(5).normal(size=(CHUNK, 7, 10))

    def __call__(self, image, felt, instruction):
        seen = features(image) + 0.3 * np.sin([*felt.tcp_quaternion, felt.gripper_opening, len(instruction), *[0.0] * 4])
        values = np.sin(self.weights @ seen * 4)
        return np.concatenate([values[:, :3] * 0.03, values[:, 3:6] * 0.4, np.clip(0.5 + 2 * values[:, 6:], 0, 1)], axis=1)


class Right:
    """The adapter as it should be: 224 by area, sticky gripper, 4 of each chunk."""

    play, noise = 4, 0.0
    needs_image, needs_privileged = True, False

    def __init__(self):
        self.model, self.chunks = Model(), ActionChunks(self.play)
        self.grippers, self.again = {}, {}
        self.rng = np.random.default_rng(0)

    def reset(self, episodes):
        for info in episodes:
            self.chunks.forget([info.episode])
            self.grippers[info.episode] = Gripper(info.robot)

    def image(self, image):
        return cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA)

    def text(self, instruction):
        return instruction

    def chunk(self, rows):
        return rows

    def rotation(self, angles):
        return Rotation.from_euler("xyz", angles).as_rotvec()

    def gripper(self, episode, opening):
        return self.grippers[episode].command(float(opening))

    def act(self, observations):
        actions = []
        for one in observations:
            if self.chunks.is_due(one.episode):
                seen = self.image(np.array(one.image))
                self.chunks.add(one.episode, self.chunk(self.model(seen, one.proprio, self.text(one.instruction))))
            values = self.chunks.next(one.episode)
            command = np.array([*values[:3], *self.rotation(values[3:6]), self.gripper(one.episode, values[6])])
            actions.append(Action(self.finish(command + self.noise * self.rng.normal(size=7), one)))
        return actions

    def finish(self, command, observation):
        return command

    def describe(self):
        return PolicyDescription(name=type(self).__name__)

    def close(self):
        pass


class Same(Right):
    pass


class Inverted(Right):
    def gripper(self, episode, opening):
        return -super().gripper(episode, opening)


class Euler(Right):
    def rotation(self, angles):
        return angles


class Bgr(Right):
    def image(self, image):
        return super().image(image[..., ::-1])


class Linear(Right):
    def image(self, image):
        return cv2.resize(image, (96, 96), interpolation=cv2.INTER_LINEAR)


class Lanczos(Right):
    def image(self, image):
        return np.asarray(Image.fromarray(image).resize((96, 96), Image.Resampling.LANCZOS))


class StickyTwice(Right):
    def reset(self, episodes):
        super().reset(episodes)
        self.again |= {info.episode: Gripper(info.robot) for info in episodes}

    def finish(self, command, observation):
        return np.array([*command[:6], self.again[observation.episode].command(float(command[6]))])


class NotSticky(Right):
    def reset(self, episodes):
        super().reset(episodes)
        self.again |= {info.episode: None for info in episodes}

    def gripper(self, episode, opening):
        if self.grippers[episode].robot == "widowx":
            return super().gripper(episode, opening)
        last, self.again[episode] = self.again[episode], float(opening)
        return 0.0 if last is None else last - float(opening)


class Ahead(Right):
    def chunk(self, rows):
        return rows[1:]


class Behind(Right):
    def reset(self, episodes):
        super().reset(episodes)
        self.again |= {info.episode: np.zeros(7) for info in episodes}

    def finish(self, command, observation):
        before, self.again[observation.episode] = self.again[observation.episode], command
        return before


class FullStop(Right):
    def text(self, instruction):
        return instruction + "."


class Millimetres(Right):
    def finish(self, command, observation):
        return np.array([*command[:3] * 1000, *command[3:]])


class BgrAndInverted(Bgr, Inverted):
    pass


class EulerAndInverted(Euler, Inverted):
    pass


class EulerAhead(Euler, Ahead):
    pass


class BgrAndLinear(Right):
    def image(self, image):
        return cv2.resize(image, (96, 96), interpolation=cv2.INTER_LINEAR)[..., ::-1]


class Another(Right):
    """No error of convention: another model."""

    def __init__(self):
        super().__init__()
        self.model.weights = np.random.default_rng(6).normal(size=(CHUNK, 7, 10))


class Noisy(Right):
    noise = 1e-5


class NoisyEuler(Euler):
    noise = 1e-5


class Fails(Right):
    def act(self, observations):
        raise RuntimeError("cannot [red]act[/red]")
