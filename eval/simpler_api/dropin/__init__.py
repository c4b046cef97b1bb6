"""Environments with the interface of ``simpler_env``."""
