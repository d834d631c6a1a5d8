"""What a shell asks for and waits for: completions, and a count for a prompt."""
