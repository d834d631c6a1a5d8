"""How fast it is, each number beside the floor: what the same step costs without jitd, measured in the same run."""
