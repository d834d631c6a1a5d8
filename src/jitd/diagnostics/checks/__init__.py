"""Looking at the machine for what jitd needs of it, with or without a running jitd. Nothing here changes anything.

All functions block, each for a bounded time; a running jitd calls them in threads of their own (`machine.Machine`),
`jitd check` by itself.
"""
