"""Talking to a jitd: the client, its Unix socket here or over ssh, the event stream, other versions."""
