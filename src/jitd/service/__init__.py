"""What the verbs do: authorise, change, record, converge."""
