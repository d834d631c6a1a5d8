"""The laptop that jitctl runs on: gateways that it was set up for, keys, tunnels, what can be wrong here."""
