import os
from types import SimpleNamespace

import numpy as np

render_config = SimpleNamespace(camera_shader_dir="ibl", rt_use_denoiser=False, rt_samples_per_pixel=1)


class Pose:
    def __init__(self, p=(0.0, 0.0, 0.0), q=(1.0, 0.0, 0.0, 0.0)):
        self.p, self.q = np.array(p, np.float32), np.array(q, np.float32)

    def inv(self):
        return Pose(-self.p, self.q)

    def __mul__(self, other):
        return Pose(self.p + other.p, other.q)

    def to_transformation_matrix(self):
        matrix = np.eye(4)
        matrix[:3, 3] = self.p
        return matrix


class Engine:
    def set_renderer(self, renderer):
        pass

    def create_scene(self):
        pass


class SapienRenderer:
    def __init__(self, offscreen_only=False, device=""):
        if device not in ("", "cuda:0", "cuda:1"):
            raise RuntimeError(f'Failed to find a supported physical device "{device}"')
        if os.environ.get("FAKE_VULKAN") == "absent":
            raise RuntimeError("failed to find a rendering device")
        if os.environ.get("FAKE_VULKAN") == "crash":
            os.abort()
