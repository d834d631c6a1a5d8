"""The main job, played with real parts."""
