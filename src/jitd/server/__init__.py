"""The API on the Unix socket: connections, limits, routes; what a verb does is the service's."""
