"""Visual traces added to recorded datasets, as the policy draws them while it plays."""
