"""What this process has changed so far, for its last message when it fails or is interrupted."""

#: A change was sent, and there is no answer to it yet.
sent = False
#: Something was changed: on the gateway, or on this machine.
changed = False
#: A jitd has answered.
answered = False
