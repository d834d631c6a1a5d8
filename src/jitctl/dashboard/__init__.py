"""The full-screen view. Textual is loaded here, and only for `jitctl dashboard`."""
