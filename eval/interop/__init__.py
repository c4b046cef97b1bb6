"""Our world in other people's harnesses: a benchmark class of vla-eval, environments of Gymnasium."""
