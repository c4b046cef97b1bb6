"""Both robots: kinematics, controllers and how they are loaded."""
