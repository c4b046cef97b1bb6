"""``check-adapter``: the same observations through two ways of asking a model, and which convention they differ in."""
