"""Against the released packages, each in an interpreter of its own: what our client gets is what they computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

for package in ("websockets", "msgpack", "httpx"):
    pytest.importorskip(package, reason="the extra remote is not installed")

from observations import episode_info, observation
from real_packages import Script, python_with

from policies.base import Proprio
from policies.registry import load_policy

SUPPORT = Path(__file__).parents[2] / "support"
PROPRIO = Proprio(np.array([0.3, 0.1, 0.2], np.float32), np.array([1, 0, 0, 0], np.float32), 1.0, np.zeros(8, np.float32))
CAMERA = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)


def seen(step, episode):
    return replace(observation(step, episode=episode), image=CAMERA, proprio=PROPRIO)


@pytest.mark.parametrize("image_format", ["raw", "png"])
@pytest.mark.parametrize("chunk", ["", "3"])
def test_vla_evals_own_server_is_played(image_format, chunk):
    with Script(python_with("vla_eval"), SUPPORT / "vla_eval_server.py", "binary", *([chunk] if chunk else [])) as server:
        policy = load_policy(f"vla-eval://127.0.0.1:{server.port}", {"image_format": image_format})
        try:
            infos = [episode_info(name) for name in ("a", "b", "c")]
            policy.reset(infos)
            motion = (CAMERA.reshape(-1, 3).mean(axis=0) / 255.0 - 0.5) / 50
            for step in range(4):
                for action in policy.act([seen(step, info.episode) for info in infos]):
                    np.testing.assert_allclose(action.command[:6], [*motion, 0, 0, motion[0]], rtol=1e-5)
                    asked = step - step % 3 if chunk else step  # of a chunk, its server sees the first observation alone
                    assert action.command[6] == (1.0 if asked % 2 else -1.0)
            assert policy.describe().name == "Colours"
            assert policy.describe().details["harness_version"] == "0.8.0"
        finally:
            policy.close()


def test_a_server_by_openpis_own_codec_is_played():
    with Script(python_with("openpi_client"), SUPPORT / "openpi_server.py") as server:
        policy = load_policy(f"openpi://127.0.0.1:{server.port}", {"rotation": "rotation_vector", "image_size": "480x640"})
        try:
            policy.reset([episode_info("a")])
            motion = (CAMERA.reshape(-1, 3).mean(axis=0) / 255.0 - 0.5) / 50
            for step in range(5):
                (action,) = policy.act([seen(step, "a")])
                np.testing.assert_allclose(action.command, [*motion, 0, 0, 0.3 / 50, -1.0], rtol=1e-5)
            said = policy.describe()
            assert said.name == "colours"
            assert said.settings["server"]["norm"] == [0.0, 1.0, 2.0]
        finally:
            policy.close()
