"""Writes completions/ from the program itself: `python packaging/completions.py`. A test holds the files against this.

The scripts are static: what they say of verbs and options stands in them, and what only jitd knows comes from
`jitctl __complete KIND`, whose lines are never read as shell code.
"""

import functools
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from typer.core import TyperOption

from jitctl.cli import app as cli
from jitctl.cli.verbs import GROUPS, VERBS
from jitctl.render.words import LIST_COLUMNS, STATUS
from jitd.core import settings

DIRECTORY = Path(__file__).resolve().parent.parent / "completions"

#: What stands behind a value that nobody can know: nothing is offered.
FREE: Final = "free"
FILE: Final = "file"
_DECIDES: Final = ("grant", "deny", "review")

#: What the values of options are, by the option.
OPTIONS: Final = {
    "--user": "users",
    "--status": f"={' '.join(STATUS)}",
    "--tab": "=pending approved denied ended",
    "--sort": "=newest oldest left",
    "status --output": "=table json i3bar waybar prompt",
    "--columns": f"={' '.join(LIST_COLUMNS)}",
    "--network": "networks",
    "--interface": "interfaces",
    "--managed-by": "users",
    "--id": "requests",
    "--map": FILE,
    "--socket": FILE,
    "--profile": FREE,
    "--name": FREE,
    "--device": FREE,
}
#: What the metavars of arguments and options say of their values, where the option itself does not.
METAVARS: Final = {
    "NETWORK": "networks",
    "[NETWORK]": "networks",
    "INTERFACE": "interfaces",
    "FILE": FILE,
    "PATH": FILE,
    "on|off": "=on off",
    "PART | NETWORK": "examined",
    "[ID|NETWORK]": "own",
    "[KEY=VALUE]…": f"={' '.join(f'{one.key}=' for one in settings.SETTINGS)}",
}
#: Metavars of what people make up, or what nobody lists.
UNKNOWN: Final = frozenset(
    [
        "TEXT",
        "TIME",
        "WHEN",
        "DATE",
        "KEY",
        "CIDR",
        "PORT",
        "WHO",
        "ADDRESS",
        "HOST:PORT",
        "BYTES",
        "N",
        "PAGE",
        "SEQ",
        "KIND",
        "WORDS",
        "ORDER",
        "GROUP",
        "WHERE",
        "NAMES",
        "ssh://USER@HOST",
    ]
)


@functools.cache
def _types(verb: str) -> dict[str, Any]:
    """The types that a verb's function declares, by parameter: each version of Typer keeps them in its own way."""
    return get_type_hints(cli.load(next(one for one in VERBS if one.name == verb)).callback)


def kind(verb: str, parameter: Any) -> str:
    """What a value is: one of jitctl's kinds, `=` with a list, a file, or free. Raises LookupError for one that nobody has
    thought of.
    """
    declared = _types(verb).get(parameter.name)
    for one in (declared, *get_args(declared)):
        if isinstance(one, type) and issubclass(one, Enum):
            return f"={' '.join(str(choice.value) for choice in one)}"
    name = max(parameter.opts, key=len) if isinstance(parameter, TyperOption) else ""
    metavar = parameter.metavar or ""
    if f"{verb} {name}" in OPTIONS:
        return OPTIONS[f"{verb} {name}"]
    if name in OPTIONS:
        return OPTIONS[name]
    if metavar in METAVARS:
        return METAVARS[metavar]
    group = verb.partition(" ")[0]
    match metavar:
        case "ID" | "[ID]…":
            if group in ("outbox", "change"):
                return FREE
            return "decidable" if verb in _DECIDES else "live" if verb in ("extend", "revoke") else "requests"
        case "NAME" | "[NAME]" | "[NAME]…" if not name:
            if verb.endswith(" add"):
                return FREE
            return {"network": "networks", "interface": "interfaces", "device": "devices", "user": "users"}[
                group
            ]
        case "NETWORK | USER NETWORK | ID":
            return "networks"
    if not metavar and not name:
        return "networks"  # request and ensure
    if metavar in UNKNOWN:
        return FREE
    raise LookupError(f"{verb}: nobody has said what {name or 'the argument'} {metavar} is")


def commands() -> Iterator[tuple[str, str, list[Any], list[str]]]:
    """(verb, help, options, kinds of its arguments; a last one with `*` repeats) of every verb."""
    common = {name for one in cli.everywhere() for name in one.opts}
    for verb in VERBS:
        parameters = cli.load(verb).params
        options = [one for one in parameters if isinstance(one, TyperOption)]
        arguments = [one for one in parameters if not isinstance(one, TyperOption)]
        kinds = [kind(verb.name, one) + ("*" if one.nargs == -1 else "") for one in arguments]
        assert common <= {name for one in options for name in one.opts}
        yield verb.name, verb.help, options, kinds


def files() -> dict[str, str]:
    """Every script by the name of its file."""
    return {"jitctl.bash": bash(), "_jitctl": zsh(), "jitctl.fish": fish()}


def main() -> None:
    """Write the scripts."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in files().items():
        (DIRECTORY / name).write_text(text)


def quoted(text: str) -> str:
    """A word of a shell that nothing in it can end."""
    return "'" + text.replace("'", "'\\''") + "'"


def _tables(quote: str = "") -> tuple[str, str, str]:
    """(options, kinds of values, kinds of arguments) of all verbs as branches of a `case`, for bash and zsh."""
    flags, values, arguments = [], [], []
    for verb, _, options, kinds in commands():
        words = " ".join(
            quoted(f"{name}:{(one.help or '').replace(':', ' -')}" if quote else name)
            for one in options
            for name in one.opts
        )
        flags.append(
            f"    {quoted(verb)}) _jitctl_flags=({words} {quoted('--help:Show what it does.' if quote else '--help')}) ;;"
        )
        for one in options:
            if not one.is_flag:
                names = "|".join(quoted(f"{verb} {name}") for name in one.opts)
                values.append(f"    {names}) _jitctl_kind={quoted(kind(verb, one))} ;;")
        for place, what in enumerate(kinds):
            pattern = quoted(f"{verb} ") + ("*" if what.endswith("*") else quoted(str(place + 1)))
            arguments.append(f"    {pattern}) _jitctl_kind={quoted(what.rstrip('*'))} ;;")
    return "\n".join(flags), "\n".join(values), "\n".join(arguments)


def _names(prefix: str) -> list[tuple[str, str]]:
    """(name, help) of what stands at a place: verbs and groups, or the verbs of a group."""
    found: dict[str, str] = {}
    for verb in VERBS:
        group, _, name = verb.name.rpartition(" ")
        if group == prefix:
            found[name] = verb.help
        elif not prefix and group:
            found[group] = GROUPS[group].help
    return list(found.items())


_HEAD: Final = "# Made by packaging/completions.py; a change by hand is lost.\n"

# Which verb stands on the line, and which argument comes next. Words and verbs are compared, never run.
_WALK: Final = r"""
# Sets _jitctl_verb (with its group), _jitctl_place (the number of the next argument), _jitctl_want (the option that
# waits for its value) and _jitctl_where (the options that say which gateway is asked).
_jitctl_walk() {
  local word pending=
  _jitctl_verb= _jitctl_group= _jitctl_want=
  _jitctl_place=1
  _jitctl_where=()
  for word in "$@"; do
    if [[ -n $pending ]]; then
      case "$pending" in
        --socket | --host | --profile) _jitctl_where+=("$pending" "$word") ;;
      esac
      pending=
      continue
    fi
    if [[ $word == -* ]]; then
      case "$word" in
        --socket=* | --host=* | --profile=*) _jitctl_where+=("${word%%=*}" "${word#*=}") ;;
      esac
      _jitctl_value "$_jitctl_verb $word"
      [[ -n $_jitctl_kind ]] && pending=$word
      continue
    fi
    if [[ -z $_jitctl_verb ]]; then
      case "$_jitctl_group$word" in
@GROUPS@) _jitctl_group="$word " ;;
        *) _jitctl_verb="$_jitctl_group$word" ;;
      esac
    else
      _jitctl_place=$((_jitctl_place + 1))
    fi
  done
  _jitctl_want=$pending
}

_jitctl_value() {
  _jitctl_kind=
  case "$1" in
@VALUES@
    *' --socket') _jitctl_kind=file ;;
    *' --host' | *' --profile') _jitctl_kind=free ;;
  esac
}

_jitctl_argument() {
  _jitctl_kind=
  case "$1" in
@ARGUMENTS@
  esac
}

_jitctl_options() {
  _jitctl_flags=()
  case "$1" in
@FLAGS@
  esac
}
"""


def _shell(quote: str = "") -> str:
    flags, values, arguments = _tables(quote)
    groups = "        " + "|".join(quoted(group) for group in GROUPS)
    filled = _WALK.replace("@GROUPS@", groups).replace("@VALUES@", values)
    return filled.replace("@ARGUMENTS@", arguments).replace("@FLAGS@", flags)


def bash() -> str:
    """The script for bash; wants no library of others."""
    groups = "\n".join(
        f"    {quoted(group + ' ' if group else '')}) _jitctl_names=({' '.join(quoted(name) for name, _ in _names(group))}) ;;"
        for group in ("", *GROUPS)
    )
    return (
        f"# Completion of jitctl for bash.\n{_HEAD}"
        + _shell()
        + rf"""
_jitctl_verbs() {{
  _jitctl_names=()
  case "$1" in
{groups}
  esac
}}

_jitctl_offer() {{
  local one
  for one in "$@"; do
    [[ $one == "$cur"* ]] && COMPREPLY+=("${{one#"$_jitctl_there"}}")
  done
}}

_jitctl_known() {{
  local value quoted words
  case "$_jitctl_kind" in
    '' | free) ;;
    file) compopt -o default 2>/dev/null ;;
    '='*)
      read -r -a words <<<"${{_jitctl_kind#=}}"
      _jitctl_offer "${{words[@]}}"
      [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace 2>/dev/null
      ;;
    *)
      local -a described=()
      while IFS=$'\t' read -r value words; do
        printf -v quoted '%q' "$value"
        [[ $quoted == "$cur"* || $value == "$cur"* ]] || continue
        COMPREPLY+=("${{quoted#"$_jitctl_there"}}")
        value=${{value#"$_jitctl_there"}}
        printf -v value '%-12s  (%s)' "$value" "$words"
        described+=("$value")
      done < <(jitctl __complete "$_jitctl_kind" "${{_jitctl_where[@]}}" 2>/dev/null)
      # Where several are listed, and nothing but what they begin with alike is put on the line.
      case "${{COMP_TYPE-}}" in
        63 | 33 | 64) ((${{#described[@]}} > 1)) && COMPREPLY=("${{described[@]}}") ;;
      esac
      ;;
  esac
}}

# The words before the cursor, in _jitctl_words: bash breaks them at @, = and other characters as well.
_jitctl_join() {{
  local line=${{COMP_LINE-}} place word
  _jitctl_words=()
  for ((place = 0; place <= COMP_CWORD; place++)); do
    word=${{COMP_WORDS[place]}}
    if ((place == 0)) || [[ -z ${{COMP_LINE-}} || $line == [[:blank:]]* ]]; then
      _jitctl_words+=("$word")
    else
      _jitctl_words[${{#_jitctl_words[@]}}-1]+=$word
    fi
    line=${{line#"${{line%%[![:blank:]]*}}"}}
    line=${{line#"$word"}}
  done
}}

_jitctl() {{
  local cur _jitctl_there= _jitctl_words
  local _jitctl_verb _jitctl_group _jitctl_want _jitctl_place _jitctl_kind _jitctl_flags _jitctl_names _jitctl_where
  COMPREPLY=()
  _jitctl_join
  cur=${{_jitctl_words[${{#_jitctl_words[@]}}-1]}}
  _jitctl_walk "${{_jitctl_words[@]:1:${{#_jitctl_words[@]}}-2}}"
  if [[ -z $_jitctl_want && $cur == --*=* ]]; then
    _jitctl_want=${{cur%%=*}}
    cur=${{cur#*=}}
  fi
  # What bash does not take for a part of the word stays as it is on the line.
  if [[ -n ${{COMP_LINE-}} ]]; then
    local piece=${{COMP_WORDS[COMP_CWORD]}}
    [[ $piece == [=:] ]] && piece=
    _jitctl_there=${{cur%"$piece"}}
    _jitctl_there=${{_jitctl_there%@}} # it begins a name of a host, for bash
  fi
  if [[ -n $_jitctl_want ]]; then
    _jitctl_value "$_jitctl_verb $_jitctl_want"
    _jitctl_known
  elif [[ $cur == -* ]]; then
    _jitctl_options "$_jitctl_verb"
    ((${{#_jitctl_flags[@]}})) || _jitctl_flags=(--json --socket --host --profile --version --help)
    _jitctl_offer "${{_jitctl_flags[@]}}"
  elif [[ -z $_jitctl_verb ]]; then
    _jitctl_verbs "$_jitctl_group"
    _jitctl_offer "${{_jitctl_names[@]}}"
  else
    _jitctl_argument "$_jitctl_verb $_jitctl_place"
    _jitctl_known
  fi
}}

complete -F _jitctl jitctl
"""
    )


def zsh() -> str:
    """The script for zsh."""
    groups = "\n".join(
        f"    {quoted(group + ' ' if group else '')}) _jitctl_names=("
        + " ".join(quoted(f"{name}:{text.replace(':', ' -')}") for name, text in _names(group))
        + ") ;;"
        for group in ("", *GROUPS)
    )
    return (
        f"#compdef jitctl\n# Completion of jitctl for zsh.\n{_HEAD}"
        + _shell("described")
        + rf"""
_jitctl_verbs() {{
  _jitctl_names=()
  case "$1" in
{groups}
  esac
}}

# Names with descriptions, "name:description" each; nothing of it is run or expanded.
_jitctl_offer() {{
  local one
  local -a names shown
  for one in "$@"; do
    names+=("${{one%%:*}}")
    shown+=("${{(r:24:)${{one%%:*}}}}  ${{one#*:}}")
  done
  (($#names)) && compadd -Q -l -d shown -a names
}}

_jitctl_known() {{
  local value words
  local -a names shown
  case "$_jitctl_kind" in
    '' | free) _message 'value' ;;
    file) _files ;;
    '='*)
      names=(${{(s: :)${{_jitctl_kind#=}}}})
      if [[ $names[1] == *= ]]; then
        compadd -S '' -a names
      else
        compadd -a names
      fi
      ;;
    *)
      while IFS=$'\t' read -r value words; do
        names+=("$value")
        shown+=("${{(r:12:)value}}  $words")
      done < <(jitctl __complete "$_jitctl_kind" "${{_jitctl_where[@]}}" 2>/dev/null)
      (($#names)) && compadd -l -d shown -a names
      ;;
  esac
}}

_jitctl() {{
  local _jitctl_verb _jitctl_group _jitctl_want _jitctl_place _jitctl_kind
  local -a _jitctl_flags _jitctl_names _jitctl_where
  _jitctl_walk "${{(@)words[2,CURRENT-1]}}"
  if [[ -z $_jitctl_want && $words[CURRENT] == --*=* ]]; then
    _jitctl_want=${{words[CURRENT]%%=*}}
    compset -P 1 '*='
  fi
  if [[ -n $_jitctl_want ]]; then
    _jitctl_value "$_jitctl_verb $_jitctl_want"
    _jitctl_known
  elif [[ $words[CURRENT] == -* ]]; then
    _jitctl_options "$_jitctl_verb"
    (($#_jitctl_flags)) || _jitctl_flags=('--json:Print the answer as JSON.' '--socket:The socket of jitd.' '--host:Another machine over ssh.' '--profile:A gateway that was set up.' '--version:Print the version.' '--help:Show what there is.')
    _jitctl_offer "${{_jitctl_flags[@]}}"
  elif [[ -z $_jitctl_verb ]]; then
    _jitctl_verbs "$_jitctl_group"
    _jitctl_offer "${{_jitctl_names[@]}}"
  else
    _jitctl_argument "$_jitctl_verb $_jitctl_place"
    _jitctl_known
  fi
}}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _jitctl "$@"
else
  compdef _jitctl jitctl
fi
"""
    )


def fish() -> str:
    """The script for fish."""
    lines = [
        "# Completion of jitctl for fish.",
        _HEAD,
        "# The verb on the line, with its group, and how many words stand behind it.",
        "function __jitctl_at",
        "    set -l words (commandline -opc)[2..-1]",
        "    set -l verb",
        "    set -l behind 0",
        "    set -l skip 0",
        "    for word in $words",
        "        if test $skip = 1",
        "            set skip 0",
        "            continue",
        "        end",
        "        if string match -q -- '-*' $word",
        '            contains -- "$verb $word" $__jitctl_valued; and set skip 1',
        "            contains -- $word --socket --host --profile; and set skip 1",
        "            continue",
        "        end",
        '        if test -z "$verb"',
        "            set verb $word",
        f"        else if contains -- $verb {' '.join(GROUPS)}",
        '            set verb "$verb $word"',
        "        else",
        "            set behind (math $behind + 1)",
        "        end",
        "    end",
        '    test "$verb" = "$argv[1]"; or return 1',
        "    test (count $argv) -lt 2; and return 0",
        "    test $argv[2] = '*'; or test $behind = $argv[2]",
        "end",
        "",
        "function __jitctl_known",
        "    set -l where",
        "    set -l want",
        "    for word in (commandline -opc)[2..-1]",
        '        if test -n "$want"',
        "            set -a where $want $word",
        "            set want",
        "        else if contains -- $word --socket --host --profile",
        "            set want $word",
        "        else if string match -qr -- '^--(socket|host|profile)=' $word",
        "            set -a where (string split -m 1 = -- $word)",
        "        end",
        "    end",
        "    jitctl __complete $argv[1] $where 2>/dev/null",
        "end",
        "",
        "complete -c jitctl -f",
    ]
    valued = [
        f"{verb} {name}"
        for verb, _, options, _ in commands()
        for one in options
        if not one.is_flag
        for name in one.opts
    ]
    lines.insert(2, f"set -g __jitctl_valued {' '.join(quoted(one) for one in valued)}\n")
    for group in ("", *GROUPS):
        for name, text in _names(group):
            lines.append(
                f"complete -c jitctl -n {quoted(f'__jitctl_at {quoted(group)}')} -a {quoted(name)} -d {quoted(text)}"
            )
    for verb, _, options, kinds in commands():
        at = f"__jitctl_at {quoted(verb)}"
        for one in options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in one.opts
            )
            what = FREE if one.is_flag else kind(verb, one)
            value = "" if one.is_flag else f" {'-r' if what == FILE else '-x'}{_fish_values(what)}"
            lines.append(f"complete -c jitctl -n {quoted(at)} {names}{value} -d {quoted(one.help or '')}")
        for place, what in enumerate(kinds):
            repeated = what.endswith("*")
            where = f"{at} {quoted('*') if repeated else place}"
            values = _fish_values(what.rstrip("*"))
            if values:
                lines.append(f"complete -c jitctl -n {quoted(where)}{values}")
    return "\n".join(lines) + "\n"


def _fish_values(what: str) -> str:
    if what == FREE:
        return ""
    if what == FILE:
        return " -F"
    if what.startswith("="):
        return f" -a {quoted(what[1:])}"
    return f" -a {quoted(f'(__jitctl_known {what})')}"


if __name__ == "__main__":
    main()
