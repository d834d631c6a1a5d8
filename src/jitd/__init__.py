"""The daemon: owns the store and the WireGuard interfaces, and answers on a Unix socket."""
