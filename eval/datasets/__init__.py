"""Rollouts as LeRobot datasets (layout v3.0): written while a run plays, put together at its end, read for training."""
