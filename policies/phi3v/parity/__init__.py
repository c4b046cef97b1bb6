"""Proof that this is the released model: comparison with recordings of it.

A folder may hold any of: ``model_*.json`` with ``model_*.npz`` beside them (a checkpoint each), ``processor.npz``,
``rotary.npz``, ``actions.npz``, ``policy_traces.npz`` and ``image_path/``. What it holds is replayed.
"""

from policies.phi3v.parity.compare import compare_model

__all__ = ["compare_model"]
