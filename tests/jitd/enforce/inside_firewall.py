"""The promises of the second layer under this machine's kernel. Runs in network and mount namespaces of its own."""

from support.firewall_contract import *  # noqa: F403 - the tests, and the fixtures that they ask for
