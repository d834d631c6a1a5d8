"""What crosses the socket, in both directions, as typed dictionaries: the one definition for daemon and command.

Typed dictionaries cost nothing to import and nothing to decode, so that jitctl stays quick; the daemon validates
against them with msgspec and generates the OpenAPI description from them. Times are integer milliseconds UTC,
durations integer milliseconds. A reader ignores keys that it does not know, so that either side may be newer.
"""

from jitd.wire.changes import ChangeApproveReply, ChangeBody, ChangesReply, ChangeView
from jitd.wire.common import (
    API_VERSION,
    ChangeReply,
    ErrorBody,
    Health,
    IdBody,
    IdQuery,
    NameBody,
    NameQuery,
    Reply,
)
from jitd.wire.devices import (
    DeviceAddBody,
    DeviceConfigReply,
    DeviceImportBody,
    DeviceQuery,
    DeviceRefBody,
    DeviceRemoveBody,
    DeviceReply,
    DeviceRotateBody,
    DeviceRotateReply,
    DevicesChangeReply,
    DevicesReply,
    DeviceView,
    ImportLine,
)
from jitd.wire.doctor import Check, DoctorQuery, DoctorReply, KnownDevice, Level, Part, TunnelFacts
from jitd.wire.events import ActorView, EventsQuery, EventView
from jitd.wire.freeze import FreezeBody, FreezeReply, FreezeView
from jitd.wire.interfaces import (
    InterfaceAddBody,
    InterfaceAdoptBody,
    InterfaceEnforceBody,
    InterfaceReply,
    InterfaceSetBody,
    InterfaceShowReply,
    InterfacesReply,
    InterfaceView,
    PeerView,
)
from jitd.wire.networks import (
    NetworkAddBody,
    NetworkJitBody,
    NetworkReply,
    NetworkSetBody,
    NetworkShowReply,
    NetworksReply,
    NetworkView,
)
from jitd.wire.notify import (
    MailView,
    NotifyBody,
    NotifyQuery,
    NotifyReply,
    NotifyResultReply,
    NotifyShowReply,
    NotifyTestBody,
    NotifyTestMessage,
    NotifyTestReply,
)
from jitd.wire.outbox import (
    MessageView,
    OutboxBody,
    OutboxChangeReply,
    OutboxReply,
    OutboxRetryReply,
    OutboxView,
)
from jitd.wire.plans import Plan, PlanLine, PlanReach
from jitd.wire.policy import (
    PolicyApplyBody,
    PolicyApplyReply,
    PolicyChange,
    PolicyDifference,
    PolicyReply,
    PolicyWider,
)
from jitd.wire.report import (
    ReportEmergency,
    ReportMark,
    ReportNumbers,
    ReportQuery,
    ReportReply,
    ReportRow,
    ReportTable,
    Scope,
    Suggestion,
)
from jitd.wire.requests import (
    DecisionBody,
    ExtendBody,
    GrantBody,
    HistoryReply,
    ListQuery,
    ListReply,
    Offer,
    PastRequest,
    RequestBody,
    RequestReply,
    RequestView,
    ShowReply,
    UsageView,
)
from jitd.wire.restoring import AcceptRestoredBody, AcceptRestoredReply
from jitd.wire.status import GatewayStatus, NetworkState, NetworkStatus, StatusReply
from jitd.wire.users import (
    GateBody,
    GateReply,
    UserAddBody,
    UserBody,
    UserConfirmBody,
    UserConfirmReply,
    UserDisableBody,
    UserReply,
    UserSetBody,
    UsersReply,
    UserView,
)
from jitd.wire.why import WhyLine, WhyQuery, WhyReply
