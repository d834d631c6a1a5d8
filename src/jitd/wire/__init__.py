"""What crosses the socket, in both directions, as typed dictionaries: the one definition for daemon and command.

Typed dictionaries cost nothing to import and nothing to decode, so that jitctl stays quick; the daemon validates
against them with msgspec and generates the OpenAPI description from them. Times are integer milliseconds UTC,
durations integer milliseconds. A reader ignores keys that it does not know, so that either side may be newer.
"""

from jitd.wire.changes import *
from jitd.wire.common import *
from jitd.wire.devices import *
from jitd.wire.doctor import *
from jitd.wire.events import *
from jitd.wire.freeze import *
from jitd.wire.interfaces import *
from jitd.wire.networks import *
from jitd.wire.notify import *
from jitd.wire.outbox import *
from jitd.wire.plans import *
from jitd.wire.policy import *
from jitd.wire.report import *
from jitd.wire.requests import *
from jitd.wire.restoring import *
from jitd.wire.status import *
from jitd.wire.users import *
from jitd.wire.why import *
