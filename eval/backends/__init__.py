"""The worlds that episodes can be played in, behind one interface."""
