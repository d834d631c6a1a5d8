"""The process: detach, lock, log, systemd, clocks."""
