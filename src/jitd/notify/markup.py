"""Where in HTML a text ended up: between the tags, where it is only read, or somewhere that it acts."""

from html.parser import HTMLParser
from typing import Final

#: What is between these tags is not shown as text, but acted on.
_ACTING: Final = ("script", "style")


def misplaced(html: str, typed: str, name: str) -> str:
    """What a text with the mark `typed` has become, where it stands anywhere but between tags; "" where it does not.

    A text with the mark `name` may stand in the value of an attribute too, and nowhere else in a tag.
    """
    finder = _Finder(typed.lower(), name.lower())
    finder.feed(html)
    finder.close()
    return finder.found


class _Finder(HTMLParser):
    def __init__(self, typed: str, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found = ""
        self._typed = typed
        self._name = name
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTING:
            self._open = tag
        self._look(tag, "a tag", name_too=True)
        for attribute, value in attrs:
            self._look(attribute, "an attribute", name_too=True)
            self._look(value or "", f"the {attribute} of <{tag}>", name_too=False)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""
        self._look(tag, "a tag", name_too=True)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._look(data, f"part of a <{self._open}>", name_too=True)

    def handle_comment(self, data: str) -> None:
        self._look(data, "a comment", name_too=True)

    def handle_decl(self, decl: str) -> None:
        self._look(decl, "a declaration", name_too=True)

    def unknown_decl(self, data: str) -> None:
        self._look(data, "a declaration", name_too=True)

    def handle_pi(self, data: str) -> None:
        self._look(data, "an instruction", name_too=True)

    def _look(self, where: str, what: str, *, name_too: bool) -> None:
        lower = where.lower()
        if not self.found and (self._typed in lower or (name_too and self._name in lower)):
            self.found = what
