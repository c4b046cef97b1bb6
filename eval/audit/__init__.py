"""What a success rate rests on: the same policy with a grey picture, another picture, another instruction, other placements."""
