"""Intervals, tests and sizes of comparisons: numbers in, numbers out; it knows nothing of episodes."""
