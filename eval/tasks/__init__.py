"""Success rules of the tasks: pure functions of what a simulated step left behind."""
