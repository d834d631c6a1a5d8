"""What this process has done so far, for its last word: whether what failed afterwards, or was interrupted, is done."""

#: A change was sent, and there is no answer to it yet.
sent = False
#: Something was changed: on the gateway, or on this machine.
changed = False
#: A jitd has answered.
answered = False
