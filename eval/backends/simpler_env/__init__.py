"""The original simulator (``simpler_env`` on SAPIEN 2) as a second world, in an interpreter of its own."""
