"""Making the kernel do what the store says: WireGuard behind one small port."""
