"""One run with several replicas of its policy: on the GPUs of this machine, or on the nodes of a Ray cluster.

A **replica** is a process with a policy and simulator workers of its own, which plays what it is given with the same
:class:`eval.rollout.loop.Rollout` as a run without replicas (``served.py``). The **head** is the run's own process: it owns the
folder, hands out episodes a few at a time, so that a slow replica never holds many, takes in what ends, and gives the episodes
of a lost replica to others (``head.py``). How the two reach each other is a **team**: pipes on this machine (``local.py``) or
Ray (``cluster.py``); what they say is in ``messages.py``.
"""
