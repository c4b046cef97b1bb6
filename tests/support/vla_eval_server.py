"""A model server of the real vla-eval package, whose model looks at mean colours: ``PORT [gripper_mode] [chunk]``."""

from __future__ import annotations

import sys

import numpy as np
from vla_eval.model_servers.base import SessionContext
from vla_eval.model_servers.predict import PredictModelServer
from vla_eval.model_servers.serve import serve


class Colours(PredictModelServer):
    def predict(self, obs: dict, ctx: SessionContext) -> dict:
        image = obs["images"]["primary"]
        assert image.dtype == np.uint8
        means = image.reshape(-1, 3).mean(axis=0) / 255.0
        motion = (means - 0.5) / 50
        action = np.array([*motion, 0.0, 0.0, motion[0], float(ctx.step % 2)], np.float32)
        return {"actions": np.tile(action, (self.chunk_size, 1)) if self.chunk_size else action}

    def get_observation_params(self) -> dict:
        return {"send_state": True, "gripper_mode": sys.argv[2] if len(sys.argv) > 2 else "binary"}


if __name__ == "__main__":
    serve(Colours(chunk_size=int(sys.argv[3]) if len(sys.argv) > 3 else None), host="127.0.0.1", port=int(sys.argv[1]))
