"""Demonstrations: an expert says at every step what is to be done there, whoever brought the episode there."""

from policies.demonstrator.policy import Demonstrator

__all__ = ["Demonstrator"]
