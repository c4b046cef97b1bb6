"""Tasks, suites and numbers as data, and the models that read them."""
