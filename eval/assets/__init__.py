"""The original asset files: which are needed, which are here, and how to get them."""
