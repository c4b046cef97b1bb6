"""The checkpoints of a training, one run each over the same plan: which there are (``finding.py``), a queue over the GPUs
(``evaluation.py``), and success against step as a table (``curve.py``) and a plot (``plot.py``).
"""
