"""The words of mails: what they say, and that nothing which somebody typed does anything in them."""

import logging
import os
import re
from collections.abc import Mapping
from datetime import UTC
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitd.core import notices
from jitd.core.durations import HOUR
from jitd.core.errors import JitError
from jitd.core.events import Audience, EventKind
from jitd.notify import facts, render, samples
from jitd.notify.render import DIGEST, Rendered, Templates
from jitd.notify.typed import defused

EXPECTED = Path(__file__).parent / "expected"
REVIEW = "https://jit.example/requests/{id}"


def templates(directory: Path = Path("/nonexistent"), *, host: str = "ssh://jit@gateway") -> Templates:
    return Templates(directory, jitctl_host=host, review_url=REVIEW, zone=UTC)


SHIPPED = templates()


def written(mail: Rendered) -> str:
    return f"Subject: {mail.subject}\n\n{mail.text}"


class _Page(HTMLParser):
    """What is in a page: its tags, the targets of its links, and the text that is read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data

    @property
    def targets(self) -> set[str | None]:
        return {value for name, value in self.attributes if name in ("href", "src", "action", "background")}


# --- what they say ---


def test_every_message_has_words() -> None:
    """The core's messages are those that are described, to those who decide and to users, each with a text and a page."""
    told = {notice for kind in EventKind for notice in kind.notices} | {
        notices.ENDING,
        notices.WAITING,
    }
    assert {one.template for one in told if one.audience is Audience.DECIDERS} == set(facts.TO_DECIDERS)
    assert {one.template for one in told if one.audience is Audience.USER} == set(facts.TO_USERS)
    assert {one.template for one in told if one.audience is Audience.ADMINS} == set(facts.TO_ADMINS)


@pytest.mark.parametrize("name", facts.MESSAGES)
def test_the_words_of_each_mail(name: str) -> None:
    """Each mail says what stands in tests/jitd/notify/expected, to the letter."""
    at = 1_795_444_501_000 - 600_000 if name == "ending" else samples.usual()["at"]
    usual = written(SHIPPED.render(name, samples.usual(at=at)))
    other = written(
        SHIPPED.render(
            name,
            samples.usual(
                requested_by="root",
                wanted=None,
                until=samples.usual()["ends"],
                start=samples.usual()["before"],
                starts=samples.usual()["before"],
                urgent=True,
                extends=7,
                approvals=2,
                agreed="dave",
                reason="",
                comment="",
                decided_by="policy",
                cap="the maximum of office is 8h",
                ended_by="",
                ended_comment="alice is no member of office any more",
                at=at,
                by="",
            ),
        )
    )
    assert f"{usual}\n{'-' * 72}\n\n{other}" == (EXPECTED / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["granted", "extended"])
@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"wanted": 8 * HOUR}, "8h"),
        ({"wanted": None, "until": 1_795_437_000_000 + 9 * HOUR}, "until Mon 2026-11-23 21:30 UTC"),
    ],
)
def test_what_was_cut_from_a_wish(name: str, wish: Mapping[str, object], told: str) -> None:
    """Who gets less than they asked for reads both, and why; who gets all of it reads nothing of a wish."""
    cap = "the maximum of office is 2h"
    mail = SHIPPED.render(name, samples.usual(**wish, cap=cap))
    assert f"\nRequested:   {told}\n" in mail.text
    assert f"\nNote:        {cap}\n" in mail.text
    page = " ".join(_Page(mail.html).text.split())
    assert f"Requested{told}" in page.replace("Requested ", "Requested")
    assert cap in page
    assert "Requested" not in SHIPPED.render(name, samples.usual()).text


def test_the_page_says_what_the_text_says() -> None:
    """Subjects apart, every line of facts, every command and every text that somebody typed is in the page, too."""
    for name in facts.MESSAGES:
        mail = SHIPPED.render(name, samples.usual())
        page = " ".join(_Page(mail.html).text.split())
        for line in mail.text.splitlines():
            for part in re.split(r":  +", line.strip()):
                kept = " ".join(part.split()).rstrip(":")
                if line.startswith(" ") or ":  " in line:
                    assert kept in page, (name, kept)


def test_commands_are_complete() -> None:
    """Who reviews types what the mail says: with the gateway's --host, and without where none is configured."""
    assert (
        "\n    jitctl --host ssh://jit@gateway show 12\n" in SHIPPED.render("requested", samples.usual()).text
    )
    assert "\n    jitctl show 12\n" in templates(host="").render("requested", samples.usual()).text


def test_words_of_a_command_are_quoted() -> None:
    """A name with a blank or a semicolon is one word of the command."""
    mail = SHIPPED.render("lapsed", samples.usual(user="a b; reboot"))
    assert "grant --user 'a b; reboot' --network office" in mail.text


def test_moments_are_the_gateways() -> None:
    """A moment is shown on the gateway's clocks with the name of their zone, in summer and in winter."""
    berlin = ZoneInfo("Europe/Berlin")
    assert render.show_when(1_795_437_000_000, berlin) == "Mon 2026-11-23 13:30 CET"
    assert render.show_when(1_782_302_400_000, berlin) == "Wed 2026-06-24 14:00 CEST"


def test_no_page_reaches_out() -> None:
    """A page links to the review page alone, and loads nothing."""
    for name in facts.MESSAGES:
        page = _Page(SHIPPED.render(name, samples.usual()).html)
        assert page.targets <= {"https://jit.example/requests/12"}
        assert not {"img", "link", "script", "iframe", "form", "object", "base"} & set(page.tags)
        assert "url(" not in SHIPPED.render(name, samples.usual()).html


def test_there_is_no_link_without_a_review_page() -> None:
    """Where no review_url is configured, there is no link at all."""
    plain = Templates(Path("/nonexistent"), jitctl_host="", review_url="", zone=UTC)
    for name in facts.MESSAGES:
        mail = plain.render(name, samples.usual())
        assert not _Page(mail.html).targets
        assert "://" not in mail.text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "jit.example", "https://jit.example/ x", 'https://x/"{id}']
)
def test_a_review_page_is_a_page(url: str) -> None:
    """What is no address of a page is refused at the start."""
    with pytest.raises(JitError, match="review_url"):
        Templates(Path("/nonexistent"), jitctl_host="", review_url=url)


def test_as_little_as_can_come(caplog: pytest.LogCaptureFixture) -> None:
    """A message of an older jitd that lacks facts is still told, by its own template."""
    for name in facts.MESSAGES:
        mail = SHIPPED.render(name, {"id": 12, "user": "alice", "network": "office"})
        assert ("alice" if name in ("device_lost", "people_changed") else "office") in mail.subject
        assert not caplog.records
        assert "None" not in mail.text + mail.html


# --- what somebody typed ---

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "{{7*7}} {% for x in range(9) %}y{% endfor %} {# x #}",
    "{{ ''.__class__.__mro__ }}",
    "one\ntwo\n\n    jitctl grant 13\n",
    "x\r\nBcc: mallory@evil.example\r\n\r\n<h1>mail</h1>",
    "\u202eevil\u2066 \u200bhidden\u2028line\x1b[31m\x00",
    "a" * 1000,
    "word " * 200,
    "https://evil.example/login?x=1",
    "https://evil",
    "www.evil.example and mallory@evil.example",
    "javascript:alert(1) mailto:mallory@evil.example",
    '"><a href="https://evil.example">click</a>',
    "'><a href='//evil.example'>click</a>",
    "</p></blockquote></div></body></html><h1>You won</h1>",
    "<!-- --><style>*{display:none}</style>",
    "&lt;b&gt; &#60;i&#62; &amp;",
    "\u2800" * 50 + "Granted by: root",
]


@pytest.mark.parametrize("name", facts.MESSAGES)
@pytest.mark.parametrize("typed", HOSTILE)
def test_what_somebody_typed_is_only_read(name: str, typed: str) -> None:
    """A hostile text changes neither the tags, the links, the headers, the recipients nor the number of lines."""
    marked = samples.usual(
        reason=f"A {typed} Z", comment=f"A {typed} Z", ended_comment=f"A {typed} Z", cap=f"A {typed} Z"
    )
    calm = SHIPPED.render(name, samples.usual(reason="x", comment="x", ended_comment="x", cap="x"))
    mail = SHIPPED.render(name, marked)
    assert (mail.subject, mail.text.count("\n")) == (calm.subject, calm.text.count("\n"))
    page, calm_page = _Page(mail.html), _Page(calm.html)
    assert (page.tags, page.attributes) == (calm_page.tags, calm_page.attributes)
    for text in (mail.text, page.text):
        assert "49" not in text
        assert not re.search(r"evil\.example|://evil|www\.e|javascript:|mailto:", text)
        assert not set(text) & set("\u202e\u2066\u200b\u2028\u2800\x1b\x00\r")


@given(st.text(max_size=1200), st.sampled_from([*facts.MESSAGES]))
def test_any_text_is_only_read(typed: str, name: str) -> None:
    """No text at all that somebody types, as a reason or as a name, changes the tags of a page."""
    calm = _Page(
        SHIPPED.render(name, samples.usual(reason="x", user="x", comment="x", ended_comment="x")).html
    )
    marked = samples.usual(
        reason=f"x{typed}", user=f"x{typed}", comment=f"x{typed}", ended_comment=f"x{typed}"
    )
    mail = SHIPPED.render(name, marked)
    page = _Page(mail.html)
    assert (set(page.tags), set(page.attributes)) == (set(calm.tags), set(calm.attributes))
    assert "\n" not in mail.subject
    assert len(mail.subject) <= render.SUBJECT_LENGTH


@pytest.mark.parametrize("name", facts.MESSAGES)
def test_a_subject_is_one_header(name: str) -> None:
    """A name that brings line ends along adds no header and no recipient, and the subject keeps its length."""
    hostile = "x\r\nBcc: mallory@evil.example\n" * 20
    mail = SHIPPED.render(name, samples.usual(user=hostile, network=hostile))
    message = EmailMessage(policy=SMTP)
    message["To"] = "carol@office.example"
    message["Subject"] = mail.subject
    message.set_content(mail.text)
    assert message.keys()[:2] == ["To", "Subject"]
    assert "Bcc" not in message
    assert len(mail.subject) <= render.SUBJECT_LENGTH


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://evil", "https[:]//evil"),
        ("see HTTPS://evil.example/x.html", "see HTTPS[:]//evil[.]example/x[.]html"),
        ("boss@evil.example", "boss@evil[.]example"),
        ("www.evil.example", "www[.]evil[.]example"),
        ("www.1.2", "www[.]1.2"),
        ("пример.рф", "пример[.]рф"),
        ("evil\u3002com evil\uff0ecom", "evil[\u3002]com evil[\uff0e]com"),
        ("evil\u200c.\u200dcom", "evil\u200c[.]\u200dcom"),
        (r"\\evil\share", r"[\\]evil\share"),
        ("tel:110 sip:x Mailto:x", "tel[:]110 sip[:]x Mailto[:]x"),
        ("ticket 42: read v1.2.3 on 10.0.0.5, e.g. now.", "ticket 42: read v1.2.3 on 10.0.0.5, e.g. now."),
        ("JIRA:12 at 10:30 ... and so on", "JIRA:12 at 10:30 ... and so on"),
    ],
)
def test_addresses_are_defused(typed: str, shown: str) -> None:
    """What a mail program would make a link of is written so that it does not; ordinary words stay."""
    assert defused(typed) == shown
    assert defused(shown) == shown


def test_names_stay_as_they_are() -> None:
    """Commands need names to the letter, with their dots."""
    assert (
        "grant --user ann.smith --network db.prod"
        in SHIPPED.render("lapsed", samples.usual(user="ann.smith", network="db.prod")).text
    )


# --- many at once ---


def test_a_digest_of_one() -> None:
    """One message in a digest is a line with its subject, and the command that lists what waits."""
    assert written(SHIPPED.digest([("requested", samples.usual())])) == (
        "Subject: 1 message about requests\n"
        "\n"
        "1 message came together, and is told in one mail:\n"
        "\n"
        "- alice asks for office for 2h (request 12), Mon 2026-11-23 12:35 UTC\n"
        "\n"
        "List pending requests:\n"
        "\n"
        "    jitctl --host ssh://jit@gateway list --tab pending\n"
    )


def test_a_digest_of_two_hundred() -> None:
    """200 messages are 200 lines, what is urgent first and the rest in their order, and the subject says so."""
    mail = SHIPPED.digest(
        [("requested", samples.usual(id=number, urgent=number == 7, reason="<b>x")) for number in range(200)]
    )
    numbers = re.findall(r"\(request (\d+)\)", mail.text)
    assert [int(number) for number in numbers] == [7, *(number for number in range(200) if number != 7)]
    assert mail.subject == "200 messages about requests, urgent"
    assert _Page(mail.html).tags.count("li") == 200


def test_a_digest_for_a_user() -> None:
    """Who has nothing to decide is told how to list his own."""
    assert "gateway list\n" in SHIPPED.digest([("ended", samples.usual()), ("denied", samples.usual())]).text


# --- an administrator's own ---


def own(directory: Path, **named: str) -> Path:
    """A directory with templates: `granted_txt="…"` is granted.txt."""
    for name, text in named.items():
        (directory / ".".join(name.rsplit("_", 1))).write_text(text)
    return directory


def test_both_of_ones_own(tmp_path: Path) -> None:
    """A text and a page of the administrator's take the place of jitd's; the other messages stay as they are."""
    mine = templates(
        own(
            tmp_path,
            granted_txt="Subject: Zugang zu {{ network }}\n\nBis {{ ends | when }}, {{ user }}.\n",
            granted_html='{% extends "layout.html" %}{% block content %}<p>Bis {{ ends | when }}</p>{% endblock %}',
        )
    )
    mail = mine.render("granted", samples.usual())
    assert (mail.subject, mail.text) == ("Zugang zu office", "Bis Mon 2026-11-23 14:35 UTC, alice.\n")
    assert "<p>Bis Mon 2026-11-23 14:35 UTC</p>" in mail.html
    assert mine.render("denied", samples.usual()) == SHIPPED.render("denied", samples.usual())
    assert mine.warnings == []


def test_a_text_of_ones_own_makes_the_page(tmp_path: Path) -> None:
    """Where only the text is written anew, the page has the same words, and not jitd's."""
    text = "Subject: Zugang\n\nHallo {{ user }},\n{{ reason }}\n\nTippen:\n\n    {{ ['release', id] | command }}\n"
    mail = templates(own(tmp_path, granted_txt=text)).render("granted", samples.usual(reason="<b>&"))
    assert "<p>Hallo alice,<br>&lt;b&gt;&amp;</p>" in mail.html
    assert "jitctl --host ssh://jit@gateway release 12" in " ".join(_Page(mail.html).text.split())
    assert "is open for you" not in mail.html


def test_a_page_of_ones_own_keeps_the_text(tmp_path: Path) -> None:
    """Where only the page is written anew, subject and text stay jitd's."""
    mail = templates(own(tmp_path, granted_html="<p>{{ subject }}</p>")).render("granted", samples.usual())
    ours = SHIPPED.render("granted", samples.usual())
    assert (mail.subject, mail.text) == (ours.subject, ours.text)
    assert mail.html.strip() == f"<p>{ours.subject}</p>"


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    """A new layout is around all pages."""
    mine = templates(own(tmp_path, layout_html="<h6>Example Ltd</h6>{% block content %}{% endblock %}"))
    for name in (*facts.MESSAGES, DIGEST):
        html = mine.render(name, samples.usual()).html if name in facts.MESSAGES else mine.digest([]).html
        assert html.lstrip().startswith("<h6>Example Ltd</h6>")


def test_what_is_no_template_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that jitd does not know is not used, and the log says so: its name may be a slip."""
    with caplog.at_level(logging.WARNING):
        mine = templates(own(tmp_path, grantde_txt="{{ nonsense"))
    assert mine.warnings == [f"{tmp_path / 'grantde.txt'} is not the name of a template, and is not used"]
    assert "grantde.txt" in caplog.text


SUBJECT = "Subject: x\n"


@pytest.mark.parametrize(
    ("file", "text", "line", "why"),
    [
        ("granted.txt", SUBJECT + "\n{% if ends %}\n{{ ends \n", 4, "unexpected"),
        ("granted.txt", SUBJECT + "\n{% if ends %}\n", 3, "end of template"),
        ("granted.txt", SUBJECT + "\n{{ ends | whn }}", 3, "whn"),
        ("granted.txt", SUBJECT + "\n\n{{ usr }}", 4, "'usr' is undefined"),
        ("granted.txt", SUBJECT + "{% if urgent %}\n\n{{ usr }}{% endif %}", 4, "'usr' is undefined"),
        ("granted.txt", SUBJECT + "{{ reason.upcase() }}", 2, "upcase"),
        ("granted.txt", "Hello\nSubject: x\n", 1, "Subject:"),
        ("granted.txt", SUBJECT + "{{ ''.__class__.__mro__ }}", 2, "__mro__"),
        ("granted.txt", SUBJECT + "{% if 0 %}\n{{ ''['__class__'] }}{% endif %}", 3, "__class__"),
        ("granted.txt", SUBJECT + "{{ ''|attr('__class__') }}", 2, "unsafe"),
        ("granted.txt", SUBJECT + "{{ ''|attr('_'~'_class_'~'_') }}", 2, "unsafe"),
        ("granted.txt", SUBJECT + "{{ ''[('_'~'_class_'~'_')] }}", 2, "unsafe"),
        ("granted.txt", SUBJECT + "{{ '{0.__class__}'.format(1) }}", 2, "unsafe"),
        ("granted.txt", SUBJECT + "{{ self.__init__ }}", 2, "__init__"),
        ("granted.txt", SUBJECT + "{{ range(999999999) | list }}", 2, "Range"),
        ("granted.txt", SUBJECT + "{% include '../../../etc/shadow' %}", 2, "shadow"),
        ("granted.txt", SUBJECT + "{% include 'nothing.txt' %}", 2, "nothing.txt"),
        ("granted.html", "<p>\n{{ reason | safe }}", 2, "safe"),
        ("granted.html", "<p>\n{{ reason | urlize }}", 2, "urlize"),
        ("granted.html", "<p>\n{% autoescape false %}{{ reason }}{% endautoescape %}", 2, "autoescape"),
        ("granted.html", "<p>x</p>\n<a href='{{ reason }}'>x</a>", 2, "the href of <a>"),
        ("granted.html", "<p>{{ id }}</p>\n\n<p title={{ reason }}>x</p>", 3, "the title of <p>"),
        ("granted.html", "<p title={{ user }}>x</p>", 1, "an attribute"),
        ("granted.html", "<script>\nx = '{{ comment }}'</script>", 2, "part of a <script>"),
        ("granted.html", "<p>\n<!-- {{ reason }} -->", 2, "a comment"),
        ("granted.html", "{% if urgent %}\n<p {{ reason }}>{% endif %}", 2, "an attribute"),
        ("granted.html", "<p>\n{% include 'granted.txt' %}", 2, "which is not escaped"),
        (
            "layout.html",
            "<p>\n<a href='{{ reason }}'>{% block content %}{% endblock %}",
            2,
            "the href of <a>",
        ),
        ("digest.html", "{% for line in lines %}\n<p {{ line.subject }}>{% endfor %}", 2, "an attribute"),
    ],
)
def test_a_template_that_cannot_be_used(tmp_path: Path, file: str, text: str, line: int, why: str) -> None:
    """What is wrong in an administrator's template is told at the start, with its file and line."""
    (tmp_path / file).write_text(text)
    with pytest.raises(JitError) as refused:
        templates(tmp_path)
    assert refused.value.code == "bad_request"
    assert f"{tmp_path / file}, line {line}: " in refused.value.message, refused.value.message
    assert why in refused.value.message


def test_a_template_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and far too many of them, are refused with the file's name."""
    (tmp_path / "granted.txt").write_bytes(b"Subject: x\n\xff")
    with pytest.raises(JitError, match=r"granted\.txt, line 2: it is not UTF-8"):
        templates(tmp_path)
    (tmp_path / "granted.txt").write_text(SUBJECT + "x" * 70_000)
    with pytest.raises(JitError, match="bytes"):
        templates(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root takes care who may write")
def test_root_takes_no_template_that_others_write(tmp_path: Path) -> None:
    """Where jitd is root, a template that somebody else may write is refused."""
    own(tmp_path, granted_txt=SUBJECT)
    (tmp_path / "granted.txt").chmod(0o666)
    with pytest.raises(JitError, match="users other than root may write it"):
        templates(tmp_path)


def test_a_template_that_fails_later_loses_no_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What no sample reached fails at delivery: then jitd's own words go out, and the log says so loudly."""
    mine = templates(own(tmp_path, granted_txt=SUBJECT + "{% if id == 99 %}{{ nothing }}{% endif %}"))
    assert mine.render("granted", samples.usual()).subject == "x"
    with caplog.at_level(logging.ERROR):
        assert mine.render("granted", samples.usual(id=99)) == SHIPPED.render("granted", samples.usual(id=99))
    assert "the template granted failed for request 99" in caplog.text
    assert "'nothing' is undefined" in caplog.text


def test_what_is_changed_later_counts_at_the_next_start(tmp_path: Path) -> None:
    """Templates are read once: what is on the disk later was not tried, and is not used."""
    mine = templates(own(tmp_path, granted_txt="Subject: one\n"))
    own(tmp_path, granted_txt="{{ broken")
    assert mine.render("granted", samples.usual()).subject == "one"


def test_a_message_that_nobody_knows_is_told_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """Where even jitd's own template fails, the mail names the request: nothing behind it waits for ever."""
    with caplog.at_level(logging.ERROR):
        mail = SHIPPED.render("from-a-newer-jitd", samples.usual())
        many = SHIPPED.digest([("granted", samples.usual(ends="soon")), ("denied", samples.usual())])
    assert mail == Rendered(
        "from-a-newer-jitd 12",
        "See: jitctl --host ssh://jit@gateway show 12\n",
        "<p>See: jitctl --host ssh://jit@gateway show 12\n</p>",
    )
    assert "- granted 12, " in many.text
    assert "request for office was denied" in many.text
    assert "from-a-newer-jitd failed" in caplog.text


# --- what is documented ---


def _table(document: str, heading: str) -> Mapping[str, str]:
    section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([a-z_.]+)` \| (.+?) \|$", section, re.MULTILINE))


def test_the_document_is_the_code() -> None:
    """docs/mail.md lists the messages, facts and filters that there are, with the same words, and no others."""
    document = (Path(__file__).parents[3] / "docs" / "mail.md").read_text()
    assert _table(document, "Messages to deciders") == facts.TO_DECIDERS
    assert _table(document, "Messages to users") == facts.TO_USERS
    assert _table(document, "Messages to administrators") == facts.TO_ADMINS
    assert _table(document, "Facts in a template") == {**facts.FACTS, **facts.BESIDES}
    assert _table(document, "Filters") == facts.FILTERS
