"""One method per verb of the API, named as the verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urlencode

from jitctl.api import transport
from jitctl.api.transport import Channel
from jitctl.render import progress

if TYPE_CHECKING:
    from jitd import wire

#: Whom this process speaks for, "" for its own user: set by `jitctl gate` alone, and never from outside.
speaking_for = ""


class Client:
    """Talks to one jitd. Every method raises JitError.

    Over the socket each call has a connection of its own; over ssh, where that would be a login, calls that follow each
    other share one.
    """

    def __init__(self, *, socket: str, host: str, patience: float | None = None) -> None:
        """`host` is `ssh://user@gateway`, or "" for the socket of this machine.

        With `patience` a call ends after so many seconds at the latest, and nobody is asked for a passphrase meanwhile.
        """
        self._socket = socket
        self._host = host
        self._patience = patience
        self._kept: list[Channel] = []

    @property
    def is_far(self) -> bool:
        """Whether each call is a login on another machine."""
        return bool(self._host)

    def _channel(self) -> Channel:
        if self._host:
            # Taken out of the list, so that two threads never have the same one.
            while self._kept:
                kept = self._kept.pop()
                if kept.is_kept():
                    return kept
                kept.close()
            from jitctl.api import ssh  # a subprocess is needed for other machines only

            return ssh.dial(self._host, self._patience)
        connected = transport.connect(self._socket)
        if speaking_for:
            transport.introduce(connected, speaking_for)
        return Channel(connected, limit=self._patience)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        channel = self._channel()
        try:
            return transport.ask(channel, method, path, body, keep=self.is_far)
        finally:
            if channel.is_open:
                self._kept.append(channel)

    def _post(self, verb: str, body: Mapping[str, object]) -> Any:
        changes = not body.get("plan")
        progress.sent |= changes
        reply = self._ask("POST", f"/v1/{verb}", given(**body))
        progress.changed |= changes
        progress.sent = False
        return reply

    def _get(self, verb: str, query: Mapping[str, object]) -> Any:
        return self._ask("GET", f"/v1/{verb}{_query(query)}")

    def _follow(self, query: Mapping[str, object], wake: Callable[[], float] | None = None) -> Any:
        return transport.follow(self._channel(), f"/v1/events{_query(query)}", wake)

    # --- requests and grants ---

    def request(self, **body: Unpack[wire.RequestBody]) -> wire.RequestReply:
        """Ask for access."""
        return self._post("request", body)

    def ensure(self, **body: Unpack[wire.RequestBody]) -> wire.RequestReply:
        """See to it that there is access for so long."""
        return self._post("ensure", body)

    def cancel(self, **body: Unpack[wire.IdBody]) -> wire.RequestReply:
        """Withdraw a pending request."""
        return self._post("cancel", body)

    def release(self, **body: Unpack[wire.IdBody]) -> wire.RequestReply:
        """End your own grant before its time."""
        return self._post("release", body)

    def pause(self, **body: Unpack[wire.IdBody]) -> wire.RequestReply:
        """Switch a grant off for now."""
        return self._post("pause", body)

    def resume(self, **body: Unpack[wire.IdBody]) -> wire.RequestReply:
        """Switch a grant on again."""
        return self._post("resume", body)

    def grant(self, **body: Unpack[wire.GrantBody]) -> wire.RequestReply:
        """Grant a request, or without one."""
        return self._post("grant", body)

    def extend(self, **body: Unpack[wire.ExtendBody]) -> wire.RequestReply:
        """Lengthen a grant."""
        return self._post("extend", body)

    def deny(self, **body: Unpack[wire.DecisionBody]) -> wire.RequestReply:
        """Deny a request."""
        return self._post("deny", body)

    def revoke(self, **body: Unpack[wire.DecisionBody]) -> wire.RequestReply:
        """Revoke a grant."""
        return self._post("revoke", body)

    def acknowledge(self, **body: Unpack[wire.DecisionBody]) -> wire.RequestReply:
        """Say that break-glass was looked at."""
        return self._post("acknowledge", body)

    def freeze(self, **body: Unpack[wire.FreezeBody]) -> wire.FreezeReply:
        """Close everything."""
        return self._post("freeze", body)

    def accept_restored(self, **body: Unpack[wire.AcceptRestoredBody]) -> wire.AcceptRestoredReply:
        """Let in again whom a restored store lets in."""
        return self._post("accept-restored", body)

    def thaw(self) -> wire.FreezeReply:
        """End a freeze."""
        return self._post("thaw", {})

    # --- looking ---

    def status(self) -> wire.StatusReply:
        """Every network of the caller."""
        return self._get("status", {})

    def list(self, **query: Unpack[wire.ListQuery]) -> wire.ListReply:
        """A page of requests."""
        return self._get("list", query)

    def show(self, number: int) -> wire.ShowReply:
        """One request with its history."""
        return self._get("show", {"id": number})

    def history(self, number: int) -> wire.HistoryReply:
        """What helps before a decision about a request."""
        return self._get("history", {"id": number})

    def why(self, **query: Unpack[wire.WhyQuery]) -> wire.WhyReply:
        """Which rules apply."""
        return self._get("why", query)

    def report(self, **query: Unpack[wire.ReportQuery]) -> wire.ReportReply:
        """What was asked for in a time, and what became of it."""
        return self._get("report", query)

    def doctor(self, **query: Unpack[wire.DoctorQuery]) -> wire.DoctorReply:
        """Examine a part of the gateway or a network."""
        return self._get("doctor", query)

    def events(self, **query: Unpack[wire.EventsQuery]) -> Iterator[wire.EventView]:
        """Events as they come."""
        return self._follow(query)

    def follow(
        self, wake: Callable[[], float], **query: Unpack[wire.EventsQuery]
    ) -> Iterator[wire.EventView | None]:
        """Events as they come, and None where none does; see transport.follow."""
        return self._follow({**query, "follow": True}, wake)

    def health(self) -> wire.Health:
        """Who answers, and the newest SEQ."""
        return self._get("health", {})

    # --- networks ---

    def network_add(self, **body: Unpack[wire.NetworkAddBody]) -> wire.NetworkReply:
        """Add a network."""
        return self._post("network/add", body)

    def network_set(self, **body: Unpack[wire.NetworkSetBody]) -> wire.NetworkReply:
        """Change a network."""
        return self._post("network/set", body)

    def network_jit(self, **body: Unpack[wire.NetworkJitBody]) -> wire.NetworkReply:
        """Switch just-in-time access on or off."""
        return self._post("network/jit", body)

    def network_remove(self, **body: Unpack[wire.NameBody]) -> wire.NetworkReply:
        """Remove a network."""
        return self._post("network/remove", body)

    def network_list(self) -> wire.NetworksReply:
        """The networks that the caller may know of."""
        return self._get("network/list", {})

    def network_show(self, name: str) -> wire.NetworkShowReply:
        """One network."""
        return self._get("network/show", {"name": name})

    def policy_export(self) -> wire.PolicyReply:
        """Every network with its rules as TOML."""
        return self._get("policy/export", {})

    def policy_apply(self, **body: Unpack[wire.PolicyApplyBody]) -> wire.PolicyApplyReply:
        """Make the networks what a file says."""
        return self._post("policy/apply", body)

    def change_list(self) -> wire.ChangesReply:
        """The changes of rules that wait for several to agree."""
        return self._get("change/list", {})

    def change_approve(self, **body: Unpack[wire.ChangeBody]) -> wire.ChangeApproveReply:
        """Agree to a change."""
        return self._post("change/approve", body)

    def change_reject(self, **body: Unpack[wire.DecisionBody]) -> wire.ChangeApproveReply:
        """Reject a change."""
        return self._post("change/reject", body)

    # --- telling people ---

    def outbox_list(self) -> wire.OutboxReply:
        """What waits to be told."""
        return self._get("outbox/list", {})

    def outbox_retry(self, **body: Unpack[wire.OutboxBody]) -> wire.OutboxRetryReply:
        """Try messages again."""
        return self._post("outbox/retry", body)

    def outbox_drop(self, **body: Unpack[wire.OutboxBody]) -> wire.OutboxChangeReply:
        """Give messages up."""
        return self._post("outbox/drop", body)

    def notify_on(self, **body: Unpack[wire.NotifyBody]) -> wire.NotifyReply:
        """Be told by mail again."""
        return self._post("notify/on", body)

    def notify_off(self, **body: Unpack[wire.NotifyBody]) -> wire.NotifyReply:
        """Be told nothing by mail."""
        return self._post("notify/off", body)

    def notify_show(self, **query: Unpack[wire.NotifyQuery]) -> wire.NotifyShowReply:
        """Whether and where somebody is told."""
        return self._get("notify/show", query)

    def notify_test(self, **body: Unpack[wire.NotifyTestBody]) -> wire.NotifyTestReply:
        """Send a message that is about nothing."""
        return self._post("notify/test", body)

    def notify_result(self, number: int) -> wire.NotifyResultReply:
        """What became of a test."""
        return self._get("notify/result", {"id": number})

    # --- people ---

    def user_add(self, **body: Unpack[wire.UserAddBody]) -> wire.UserReply:
        """Register somebody."""
        return self._post("user/add", body)

    def user_set(self, **body: Unpack[wire.UserSetBody]) -> wire.UserReply:
        """Change somebody."""
        return self._post("user/set", body)

    def user_disable(self, **body: Unpack[wire.UserDisableBody]) -> wire.UserReply:
        """Shut somebody out."""
        return self._post("user/disable", body)

    def user_enable(self, **body: Unpack[wire.UserBody]) -> wire.UserReply:
        """Let somebody in again."""
        return self._post("user/enable", body)

    def user_confirm(self, **body: Unpack[wire.UserConfirmBody]) -> wire.UserConfirmReply:
        """Say that those who were away are the same people."""
        return self._post("user/confirm", body)

    def user_list(self) -> wire.UsersReply:
        """Everybody."""
        return self._get("user/list", {})

    # --- interfaces ---

    def interface_add(self, **body: Unpack[wire.InterfaceAddBody]) -> wire.InterfaceReply:
        """Make an interface."""
        return self._post("interface/add", body)

    def interface_set(self, **body: Unpack[wire.InterfaceSetBody]) -> wire.InterfaceReply:
        """Change an interface."""
        return self._post("interface/set", body)

    def interface_remove(self, **body: Unpack[wire.NameBody]) -> wire.InterfaceReply:
        """Remove an interface."""
        return self._post("interface/remove", body)

    def interface_adopt(self, **body: Unpack[wire.InterfaceAdoptBody]) -> wire.InterfaceReply:
        """Take part in an interface."""
        return self._post("interface/adopt", body)

    def interface_enforce(self, **body: Unpack[wire.InterfaceEnforceBody]) -> wire.InterfaceReply:
        """Decide about every peer, or only about named ones."""
        return self._post("interface/enforce", body)

    def interface_list(self) -> wire.InterfacesReply:
        """All interfaces."""
        return self._get("interface/list", {})

    def interface_show(self, name: str) -> wire.InterfaceShowReply:
        """One interface with its peers."""
        return self._get("interface/show", {"name": name})

    # --- devices ---

    def device_add(self, **body: Unpack[wire.DeviceAddBody]) -> wire.DeviceReply:
        """Register a public key."""
        return self._post("device/add", body)

    def device_remove(self, **body: Unpack[wire.DeviceRemoveBody]) -> wire.DeviceReply:
        """Remove a device."""
        return self._post("device/remove", body)

    def device_rotate(self, **body: Unpack[wire.DeviceRotateBody]) -> wire.DeviceRotateReply:
        """Put another public key in the place of a device's."""
        return self._post("device/rotate", body)

    def device_import(self, **body: Unpack[wire.DeviceImportBody]) -> wire.DevicesChangeReply:
        """Assign unmanaged peers to users."""
        return self._post("device/import", body)

    def device_config(self, **body: Unpack[wire.DeviceRefBody]) -> wire.DeviceConfigReply:
        """A wg-quick file."""
        return self._post("device/config", body)

    def device_list(self, **query: Unpack[wire.DeviceQuery]) -> wire.DevicesReply:
        """Devices."""
        return self._get("device/list", query)


def given(**values: object) -> dict[str, Any]:
    """What was given of the options of a verb: None means "not said", and is left away."""
    return {key: value for key, value in values.items() if value is not None}


def _query(values: Mapping[str, object]) -> str:
    """A query string; lists become repeated keys, booleans true and false."""
    pairs = [
        (key, str(one).lower() if isinstance(one, bool) else str(one))
        for key, value in given(**values).items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
    ]
    return f"?{urlencode(pairs)}" if pairs else ""
