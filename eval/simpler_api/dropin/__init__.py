"""The environment that stands in for one of ``simpler_env``."""
