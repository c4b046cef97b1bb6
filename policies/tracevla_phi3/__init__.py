"""TraceVLA on Phi-3-vision: the image as it is, and once more with the traces of what moved."""

from policies.tracevla_phi3.policy import TraceVLAPhi3

__all__ = ["TraceVLAPhi3"]
