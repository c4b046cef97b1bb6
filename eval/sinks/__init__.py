"""Trackers of experiments that numbers are reported to while they arise (``--report-to``): an evaluation, or a training."""
