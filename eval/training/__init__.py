"""Trainings: datasets in, checkpoints out, evaluated by this harness in between. The policies know how they are trained."""
