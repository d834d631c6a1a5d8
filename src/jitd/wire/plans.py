"""Plans: what a change would do."""

from typing import NotRequired, TypedDict


class PlanLine(TypedDict):
    """One device that a change would let in or cut off; `user` is empty for an unmanaged peer."""

    user: str
    device: str
    public_key: str
    network: str
    why: str


class PlanReach(TypedDict):
    """Somebody who keeps access to a network and reaches `more` or `less` by it: `why` is the grant, or the rule."""

    user: str
    network: str
    why: str
    more: list[str]
    less: list[str]


class Plan(TypedDict):
    """Who gains and who loses access right now, who reaches more or less with the access that stays, and a sentence for
    everything else that ends or stays behind (`also`). Give `token` back as `confirm`: if the plan has changed meanwhile,
    the verb is refused as a conflict.
    """

    gains: list[PlanLine]
    loses: list[PlanLine]
    reaches: NotRequired[list[PlanReach]]
    also: NotRequired[list[str]]
    warnings: list[str]
    token: str
