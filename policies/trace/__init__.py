"""Visual trace prompting: the paths of moving points, drawn on the image that a policy sees.

Imports no torch: only the tracker ``cotracker`` needs it, and loads it when it is made.
"""

from policies.trace.one_video import TraceProcessor
from policies.trace.presets import PRESETS, TracePreset
from policies.trace.processor import TraceProcessors, TraceResult
from policies.trace.tracker_selection import make_tracker
from policies.trace.trackers import Clip, GridTracks, Tracker

__all__ = [
    "PRESETS",
    "Clip",
    "GridTracks",
    "TracePreset",
    "TraceProcessor",
    "TraceProcessors",
    "TraceResult",
    "Tracker",
    "make_tracker",
]
