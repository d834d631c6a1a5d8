"""The command: asks jitd over its socket (or over ssh), and shows what it answers."""
