"""Dialogs: a decision with its duration and reason, and a request in full. What was typed stays when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from jitctl.render.output import clean
from jitd.core.errors import JitError


@dataclass(frozen=True)
class Field:
    """One line to fill in."""

    name: str
    title: str
    hint: str = ""


class Ask(ModalScreen[str | None]):
    """Asks for some lines and does something with them; gives what was done in words, or None when it was left. Its facts
    are clean already: blanks keep them in columns. `more` reads further ones, while somebody types.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave"),
        Binding("enter", "do", "Do it"),
    ]
    CSS = """
    Ask { align: center middle; }
    Ask > Vertical { width: 76; max-width: 96%; height: auto; max-height: 100%; overflow-y: auto; border: round $accent; padding: 0 1; background: $surface; }
    Ask Input { height: 3; border-title-color: $foreground; }
    Ask .error { color: $error; }
    Ask .fact { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(
        self,
        title: str,
        facts: Sequence[str],
        fields: Sequence[Field],
        do: Callable[[Mapping[str, str]], str],
        more: Callable[[], list[str]] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._facts = facts
        self._more = more
        self._fields = fields
        self._do = do
        self._busy = False

    def compose(self) -> ComposeResult:
        """Title, what helps to decide, the lines, and room for an error."""
        with Vertical():
            yield Static(Text(clean(self._title), style="bold"))
            for fact in self._facts:
                yield Static(Text(fact, no_wrap=True, overflow="ellipsis"), classes="fact")
            if self._more is not None:
                yield Static("", classes="fact", id="more", markup=False)
            for one in self._fields:
                field = Input(placeholder=one.hint, id=one.name)
                field.border_title = one.title
                yield field
            yield Static("", classes="error", id="error", markup=False)
            tab = "   Tab: next line" if len(self._fields) > 1 else ""
            yield Static(f"Enter: confirm{tab}   Escape: cancel", markup=False)

    def on_mount(self) -> None:
        """The first line is typed into."""
        if self._fields:
            self.query_one(f"#{self._fields[0].name}", Input).focus()
        if self._more is not None:
            self.run_worker(self._read, thread=True)

    def _read(self) -> None:
        assert self._more is not None
        lines = self._more()
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.query_one("#more", Static).update, Text("\n".join(lines)))

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Enter, on any line."""
        self.action_do()

    def action_do(self) -> None:
        """Enter: do it, once."""
        if self._busy:
            return
        self._busy = True
        typed = {one.name: self.query_one(f"#{one.name}", Input).value.strip() for one in self._fields}
        self.run_worker(lambda: self._work(typed), thread=True)

    def _work(self, typed: Mapping[str, str]) -> None:
        try:
            done = self._do(typed)
        except JitError as error:
            self.app.call_from_thread(self._refused, error)
        else:
            self.app.call_from_thread(self.dismiss, done)

    def _refused(self, error: JitError) -> None:
        self._busy = False
        self.query_one("#error", Static).update(
            Text(clean(f"{error.message}. {error.hint}".rstrip(". ") + "."))
        )

    def action_leave(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


class Show(ModalScreen[None]):
    """Lines to read, which are clean already: blanks keep them in columns."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "leave", "Back"),
    ]
    CSS = """
    Show { align: center middle; }
    Show > VerticalScroll { width: 96%; height: 90%; border: round $accent; padding: 0 1; background: $surface; }
    """

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """The lines, to be scrolled."""
        with VerticalScroll() as box:
            box.border_title = Text(clean(self._title))
            yield Static(Text("\n".join(self._lines)))

    def action_leave(self) -> None:
        """Back to the list."""
        self.dismiss(None)
