"""Phi-3-vision as an action model: what ``openvla_phi3`` and ``tracevla_phi3`` have in common.

Runs the released checkpoints on transformers' own Phi-3 and CLIP classes; nothing in a checkpoint folder is executed.
Importing this package costs nothing: torch and transformers come with the modules that use them.
"""
