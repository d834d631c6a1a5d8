"""Which interface of the machine is meant, whatever it is called by now."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jitd.enforce import links
from jitd.enforce.links import Link
from jitd.enforce.port import Known


@dataclass(slots=True, kw_only=True)
class Recogniser:
    """Finds interfaces of a kind. `is_it` says whether an interface, as it was read, is the one that is known.

    An interface that was found is known by its index from then on, as long as it keeps the name that it had then:
    asking `is_it` may mean to read all of its peers.
    """

    kind: str
    is_it: Callable[[Link, Known], bool]
    by_index: bool = False  # whether the index is enough where nothing else tells
    _known: dict[str, Known] = field(default_factory=dict)
    _found: dict[str, tuple[int, str]] = field(default_factory=dict)  # index, and the name at that moment

    def know(self, known: Known) -> None:
        """Note how an interface is recognised."""
        self._known[known.name] = known

    def known(self, name: str) -> Known | None:
        """How an interface is recognised; None when nobody has said."""
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Stop recognising an interface, which is removed."""
        self._known.pop(name, None)
        self._found.pop(name, None)

    def find(self, name: str) -> Link | None:
        """The interface that is known by this name; what else has the name where that one is not here; None when
        nothing has. Raises EnforceError.
        """
        there: Link | None = None
        if name in self._found:
            index, called = self._found[name]
            there = links.at(index)
            is_as_found = there is not None and (there.kind, there.name) == (self.kind, called)
            if is_as_found and (called == name or links.find(name) is None):
                return there
        of_this_name = links.find(name)
        known = self._known.get(name)
        link = of_this_name
        if (
            link is None
            and there is not None
            and there.kind == self.kind
            and (known is None or self.by_index)
        ):
            link = there
        if known is not None:
            link = next(
                (one for one in self._candidates(of_this_name, there) if self.is_it(one, known)), link
            )
        if link is None or link.kind != self.kind:
            self._found.pop(name, None)
        else:
            self._found[name] = (link.index, link.name)
        return link

    def _candidates(self, of_this_name: Link | None, there: Link | None) -> Iterator[Link]:
        """The one of this name first: its owner may have put the old one aside under another name."""
        near = [one for one in (of_this_name, there) if one is not None and one.kind == self.kind]
        yield from near
        yield from (one for one in links.all_of(self.kind) if one.index not in {each.index for each in near})
