"""Delivers one message with apprise: reads {url, title, body} from standard input, and writes what was said against it.

A program of its own, started by `chat.py`: it shares nothing with the daemon but these two lines of JSON.
"""

import io
import json
import logging
import sys


def main() -> None:
    """Write "" when the service took the message, else its own words, as JSON."""
    message = json.load(sys.stdin)
    import apprise

    answer = sys.stdout
    # Whatever a service's own code prints is no answer.
    sys.stdout = io.StringIO()
    words = io.StringIO()
    log = logging.getLogger("apprise")
    log.addHandler(logging.StreamHandler(words))
    log.setLevel(logging.WARNING)
    # One after the other, nothing kept on disk, and no code that lies around in a home directory.
    asset = apprise.AppriseAsset(
        async_mode=False, storage_mode=apprise.PersistentStoreMode.MEMORY, plugin_paths=[]
    )
    destination = apprise.Apprise(asset=asset)
    if not destination.add(message["url"]):
        said = "apprise knows no such address"
    elif destination.notify(
        title=message["title"], body=message["body"], body_format=apprise.NotifyFormat.TEXT
    ):
        said = ""
    else:
        said = " ".join(words.getvalue().split()) or "the service rejected it without a message"
    json.dump(said, answer)


if __name__ == "__main__":
    main()
