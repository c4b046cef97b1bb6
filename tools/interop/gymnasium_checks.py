"""Gymnasium's own checker, and Stable-Baselines3's where it is installed."""

import importlib.metadata
import json

import gymnasium
from gymnasium.utils.env_checker import check_env

import simpler_eval

assert simpler_eval
env = gymnasium.make("simpler_eval/widowx_carrot_on_plate-v0", max_steps=3, limit=2, render_mode="rgb_array")
check_env(env.unwrapped, skip_render_check=True)
passed = {"gymnasium": importlib.metadata.version("gymnasium")}
try:
    from stable_baselines3.common.env_checker import check_env as check_for_sb3
except ModuleNotFoundError:
    pass
else:
    check_for_sb3(env.unwrapped, skip_render_check=True)
    passed["stable-baselines3"] = importlib.metadata.version("stable-baselines3")
env.close()
print(json.dumps(passed))
