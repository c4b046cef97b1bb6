"""The evaluation harness: plan, run and report SIMPLER episodes."""
