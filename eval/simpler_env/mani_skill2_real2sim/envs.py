"""Importing this makes the original's ids known to Gymnasium."""

from eval.simpler_api.dropin import gym_ids

gym_ids.register()
