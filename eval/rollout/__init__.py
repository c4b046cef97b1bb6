"""From a plan to results: simulator processes, shared frames, batches for the policy, retries."""
