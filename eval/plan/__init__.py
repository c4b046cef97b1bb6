"""From suites and tasks to a frozen list of episodes."""
