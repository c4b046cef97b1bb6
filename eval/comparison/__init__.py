"""Is one policy better than another? Runs of the same initial states, episode by episode."""
