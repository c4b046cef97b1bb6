"""The world: robots, controllers, scenes and images on SAPIEN 3. :class:`eval.sim.world.World` is where to begin reading."""
