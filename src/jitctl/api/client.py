"""One method per verb of the API, named as the verb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from jitctl.api import transport
from jitctl.api.transport import Channel
from jitctl.render import done

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

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        channel = self._channel()
        try:
            return transport.ask(channel, method, path, body, keep=self.is_far)
        finally:
            if channel.is_open:
                self._kept.append(channel)

    def _post(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        changes = not body.get("plan")
        done.sent |= changes
        reply = self._ask("POST", f"/v1/{verb}", _given(body))
        done.changed |= changes
        done.sent = False
        return reply

    def _get(self, verb: str, query: Mapping[str, Any]) -> dict[str, Any]:
        return self._ask("GET", f"/v1/{verb}{_query(query)}")

    # --- requests and grants ---

    def request(self, **body: Any) -> wire.RequestReply:
        """Ask for access; see wire.RequestBody."""
        return cast("wire.RequestReply", self._post("request", body))

    def ensure(self, **body: Any) -> wire.RequestReply:
        """See to it that there is access for so long; see wire.RequestBody."""
        return cast("wire.RequestReply", self._post("ensure", body))

    def cancel(self, **body: Any) -> wire.RequestReply:
        """Take a pending request back; see wire.IdBody."""
        return cast("wire.RequestReply", self._post("cancel", body))

    def release(self, **body: Any) -> wire.RequestReply:
        """Give the rest of a grant back; see wire.IdBody."""
        return cast("wire.RequestReply", self._post("release", body))

    def pause(self, **body: Any) -> wire.RequestReply:
        """Switch a grant off for now; see wire.IdBody."""
        return cast("wire.RequestReply", self._post("pause", body))

    def resume(self, **body: Any) -> wire.RequestReply:
        """Switch a grant on again; see wire.IdBody."""
        return cast("wire.RequestReply", self._post("resume", body))

    def grant(self, **body: Any) -> wire.RequestReply:
        """Grant a request, or without one; see wire.GrantBody."""
        return cast("wire.RequestReply", self._post("grant", body))

    def extend(self, **body: Any) -> wire.RequestReply:
        """Lengthen a grant; see wire.ExtendBody."""
        return cast("wire.RequestReply", self._post("extend", body))

    def deny(self, **body: Any) -> wire.RequestReply:
        """Deny a request; see wire.DecisionBody."""
        return cast("wire.RequestReply", self._post("deny", body))

    def revoke(self, **body: Any) -> wire.RequestReply:
        """Revoke a grant; see wire.DecisionBody."""
        return cast("wire.RequestReply", self._post("revoke", body))

    def acknowledge(self, **body: Any) -> wire.RequestReply:
        """Say that break-glass was looked at; see wire.DecisionBody."""
        return cast("wire.RequestReply", self._post("acknowledge", body))

    def freeze(self, **body: Any) -> wire.FreezeReply:
        """Close everything; see wire.FreezeBody."""
        return cast("wire.FreezeReply", self._post("freeze", body))

    def accept_restored(self, **body: Any) -> wire.AcceptRestoredReply:
        """Let in again whom a restored store lets in; see wire.AcceptRestoredBody."""
        return cast("wire.AcceptRestoredReply", self._post("accept-restored", body))

    def thaw(self) -> wire.FreezeReply:
        """End a freeze."""
        return cast("wire.FreezeReply", self._post("thaw", {}))

    # --- looking ---

    def status(self) -> wire.StatusReply:
        """Every network of the caller."""
        return cast("wire.StatusReply", self._get("status", {}))

    def list(self, **query: Any) -> wire.ListReply:
        """A page of requests; see wire.ListQuery."""
        return cast("wire.ListReply", self._get("list", query))

    def show(self, number: int) -> wire.ShowReply:
        """One request with its history."""
        return cast("wire.ShowReply", self._get("show", {"id": number}))

    def history(self, number: int) -> wire.HistoryReply:
        """What helps before a decision about a request."""
        return cast("wire.HistoryReply", self._get("history", {"id": number}))

    def why(self, **query: Any) -> wire.WhyReply:
        """Which rules apply; see wire.WhyQuery."""
        return cast("wire.WhyReply", self._get("why", query))

    def report(self, **query: Any) -> wire.ReportReply:
        """What was asked for in a time, and what became of it; see wire.ReportQuery."""
        return cast("wire.ReportReply", self._get("report", query))

    def doctor(self, **query: Any) -> wire.DoctorReply:
        """Examine a part of the gateway or a network; see wire.DoctorQuery."""
        return cast("wire.DoctorReply", self._get("doctor", query))

    def events(self, **query: Any) -> Iterator[wire.EventView]:
        """Events as they come; see wire.EventsQuery."""
        lines = transport.follow(self._channel(), f"/v1/events{_query(query)}")
        return cast("Iterator[wire.EventView]", lines)

    def follow(self, wake: Callable[[], float], **query: Any) -> Iterator[wire.EventView | None]:
        """Events as they come, and None where none does; see transport.follow."""
        lines = transport.follow(self._channel(), f"/v1/events{_query({**query, 'follow': True})}", wake)
        return cast("Iterator[wire.EventView | None]", lines)

    def health(self) -> wire.Health:
        """Who answers, and the newest SEQ."""
        return cast("wire.Health", self._get("health", {}))

    # --- networks ---

    def network_add(self, **body: Any) -> wire.NetworkReply:
        """Add a network; see wire.NetworkAddBody."""
        return cast("wire.NetworkReply", self._post("network/add", body))

    def network_set(self, **body: Any) -> wire.NetworkReply:
        """Change a network; see wire.NetworkSetBody."""
        return cast("wire.NetworkReply", self._post("network/set", body))

    def network_jit(self, **body: Any) -> wire.NetworkReply:
        """Switch just-in-time access on or off; see wire.NetworkJitBody."""
        return cast("wire.NetworkReply", self._post("network/jit", body))

    def network_remove(self, **body: Any) -> wire.NetworkReply:
        """Remove a network; see wire.NameBody."""
        return cast("wire.NetworkReply", self._post("network/remove", body))

    def network_list(self) -> wire.NetworksReply:
        """The networks that the caller may know of."""
        return cast("wire.NetworksReply", self._get("network/list", {}))

    def network_show(self, name: str) -> wire.NetworkShowReply:
        """One network."""
        return cast("wire.NetworkShowReply", self._get("network/show", {"name": name}))

    def policy_export(self) -> wire.PolicyReply:
        """Every network with its rules as TOML."""
        return cast("wire.PolicyReply", self._get("policy/export", {}))

    def policy_apply(self, **body: Any) -> wire.PolicyApplyReply:
        """Make the networks what a file says; see wire.PolicyApplyBody."""
        return cast("wire.PolicyApplyReply", self._post("policy/apply", body))

    def change_list(self) -> wire.ChangesReply:
        """The changes of rules that wait for several to agree."""
        return cast("wire.ChangesReply", self._get("change/list", {}))

    def change_approve(self, **body: Any) -> wire.ChangeApproveReply:
        """Agree to a change; see wire.ChangeBody."""
        return cast("wire.ChangeApproveReply", self._post("change/approve", body))

    def change_reject(self, **body: Any) -> wire.ChangeApproveReply:
        """Reject a change; see wire.ChangeBody."""
        return cast("wire.ChangeApproveReply", self._post("change/reject", body))

    # --- telling people ---

    def outbox_list(self) -> wire.OutboxReply:
        """What waits to be told."""
        return cast("wire.OutboxReply", self._get("outbox/list", {}))

    def outbox_retry(self, **body: Any) -> wire.OutboxRetryReply:
        """Try messages again; see wire.OutboxBody."""
        return cast("wire.OutboxRetryReply", self._post("outbox/retry", body))

    def outbox_drop(self, **body: Any) -> wire.OutboxChangeReply:
        """Give messages up; see wire.OutboxBody."""
        return cast("wire.OutboxChangeReply", self._post("outbox/drop", body))

    def notify_on(self, **body: Any) -> wire.NotifyReply:
        """Be told by mail again; see wire.NotifyBody."""
        return cast("wire.NotifyReply", self._post("notify/on", body))

    def notify_off(self, **body: Any) -> wire.NotifyReply:
        """Be told nothing by mail; see wire.NotifyBody."""
        return cast("wire.NotifyReply", self._post("notify/off", body))

    def notify_show(self, **query: Any) -> wire.NotifyShowReply:
        """Whether and where somebody is told; see wire.NotifyQuery."""
        return cast("wire.NotifyShowReply", self._get("notify/show", query))

    def notify_test(self, **body: Any) -> wire.NotifyTestReply:
        """Send a message that is about nothing; see wire.NotifyTestBody."""
        return cast("wire.NotifyTestReply", self._post("notify/test", body))

    def notify_result(self, number: int) -> wire.NotifyResultReply:
        """What became of a test."""
        return cast("wire.NotifyResultReply", self._get("notify/result", {"id": number}))

    # --- people ---

    def user_add(self, **body: Any) -> wire.UserReply:
        """Register somebody; see wire.UserAddBody."""
        return cast("wire.UserReply", self._post("user/add", body))

    def user_set(self, **body: Any) -> wire.UserReply:
        """Change somebody; see wire.UserSetBody."""
        return cast("wire.UserReply", self._post("user/set", body))

    def user_disable(self, **body: Any) -> wire.UserReply:
        """Shut somebody out; see wire.UserDisableBody."""
        return cast("wire.UserReply", self._post("user/disable", body))

    def user_enable(self, **body: Any) -> wire.UserReply:
        """Let somebody in again."""
        return cast("wire.UserReply", self._post("user/enable", body))

    def user_confirm(self, **body: Any) -> wire.UserConfirmReply:
        """Say that those who were away are the same people; see wire.UserConfirmBody."""
        return cast("wire.UserConfirmReply", self._post("user/confirm", body))

    def user_list(self) -> wire.UsersReply:
        """Everybody."""
        return cast("wire.UsersReply", self._get("user/list", {}))

    # --- interfaces ---

    def interface_add(self, **body: Any) -> wire.InterfaceReply:
        """Make an interface; see wire.InterfaceAddBody."""
        return cast("wire.InterfaceReply", self._post("interface/add", body))

    def interface_set(self, **body: Any) -> wire.InterfaceReply:
        """Change an interface; see wire.InterfaceSetBody."""
        return cast("wire.InterfaceReply", self._post("interface/set", body))

    def interface_remove(self, **body: Any) -> wire.InterfaceReply:
        """Remove an interface; see wire.NameBody."""
        return cast("wire.InterfaceReply", self._post("interface/remove", body))

    def interface_adopt(self, **body: Any) -> wire.InterfaceReply:
        """Take part in an interface; see wire.InterfaceAdoptBody."""
        return cast("wire.InterfaceReply", self._post("interface/adopt", body))

    def interface_enforce(self, **body: Any) -> wire.InterfaceReply:
        """Decide about every peer, or only about named ones; see wire.InterfaceEnforceBody."""
        return cast("wire.InterfaceReply", self._post("interface/enforce", body))

    def interface_list(self) -> wire.InterfacesReply:
        """All interfaces."""
        return cast("wire.InterfacesReply", self._get("interface/list", {}))

    def interface_show(self, name: str) -> wire.InterfaceShowReply:
        """One interface with its peers."""
        return cast("wire.InterfaceShowReply", self._get("interface/show", {"name": name}))

    # --- devices ---

    def device_add(self, **body: Any) -> wire.DeviceReply:
        """Register a public key; see wire.DeviceAddBody."""
        return cast("wire.DeviceReply", self._post("device/add", body))

    def device_remove(self, **body: Any) -> wire.DeviceReply:
        """Remove a device; see wire.DeviceRemoveBody."""
        return cast("wire.DeviceReply", self._post("device/remove", body))

    def device_rotate(self, **body: Any) -> wire.DeviceRotateReply:
        """Put another public key in the place of a device's; see wire.DeviceRotateBody."""
        return cast("wire.DeviceRotateReply", self._post("device/rotate", body))

    def device_import(self, **body: Any) -> wire.DevicesChangeReply:
        """Name the owners of unmanaged peers; see wire.DeviceImportBody."""
        return cast("wire.DevicesChangeReply", self._post("device/import", body))

    def device_config(self, **body: Any) -> wire.DeviceConfigReply:
        """A wg-quick file; see wire.DeviceRefBody."""
        return cast("wire.DeviceConfigReply", self._post("device/config", body))

    def device_list(self, **query: Any) -> wire.DevicesReply:
        """Devices; see wire.DeviceQuery."""
        return cast("wire.DevicesReply", self._get("device/list", query))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given: None means "not said", and is left away."""
    return {key: value for key, value in values.items() if value is not None}


def _query(values: Mapping[str, Any]) -> str:
    """A query string; lists become repeated keys, booleans true and false."""
    pairs = [
        (key, str(one).lower() if isinstance(one, bool) else str(one))
        for key, value in _given(values).items()
        for one in (value if isinstance(value, (list, tuple)) else [value])
    ]
    return f"?{urlencode(pairs)}" if pairs else ""
