"""Jobs: each wires the lake to transforms, and does one duty."""
