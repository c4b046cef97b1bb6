"""OpenVLA on Phi-3-vision: one image, one sentence, seven action tokens."""

from policies.openvla_phi3.policy import OpenVLAPhi3

__all__ = ["OpenVLAPhi3"]
