"""The version of simpler-eval; pyproject.toml reads it here, CHANGELOG.md and CITATION.cff say the same."""

VERSION = "0.3.0"
