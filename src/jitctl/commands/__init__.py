"""The verbs, one file per noun: parse, call the client, show."""
