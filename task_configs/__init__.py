"""Tasks, suites, tables and published numbers as data, and their common parsing (``schema``)."""

from task_configs.schema.tables import lights, objects, robot_places, robots, scenes

__all__ = ["lights", "objects", "robot_places", "robots", "scenes"]
