"""What people look at: pages over runs, comparisons, audits."""
