"""What was published: the cells of its tables, and its numbers with their sources."""
