"""The base of all data files: how they are parsed, and the models of tasks, robots, scenes and lights."""
