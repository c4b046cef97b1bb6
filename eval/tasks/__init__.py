"""Tasks: a family a file with its task files, initial states, success rule and keywords in the original."""
