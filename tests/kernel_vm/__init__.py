"""A real Linux kernel, with WireGuard and nftables, for tests on machines whose own kernel has neither."""
