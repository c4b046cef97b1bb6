"""SIMPLER in LeRobot: imported by ``lerobot-eval``, which then knows ``--env.type=simpler``."""

import simpler_eval as simpler_eval  # first: it makes our packages importable, whatever else lies on the path
from lerobot_env_simpler.config import SimplerEnv as SimplerEnv
