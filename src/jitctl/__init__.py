"""The command: asks jitd over its socket (or over ssh), and shows what it answers."""


def version() -> str:
    """The version of this jitctl."""
    from importlib.metadata import version as installed

    return installed("jitctl")
