"""What a run leaves behind: append-only results, provenance, statistics, tables and videos."""
