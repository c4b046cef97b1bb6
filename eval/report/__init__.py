"""What people look at: pages over runs, comparisons, audits."""

FOLDER, FILE = "report", "index.html"
"""Where the page of a run lies in its folder."""
