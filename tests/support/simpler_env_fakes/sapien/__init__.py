"""A stand-in for SAPIEN 2.2: what the worker of the original touches, without physics."""

import os

__version__ = os.environ.get("FAKE_SAPIEN", "2.2.2")
