"""What a success rate rests on: the same policy with a grey image, another image, another instruction, other placements."""
