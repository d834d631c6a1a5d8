# Completion of jitctl for bash. What is offered says jitctl itself; nothing of it is ever run.

# The words up to the cursor, in _jitctl_words: bash breaks them at @, = and other characters as well.
_jitctl_join() {
  local line=${COMP_LINE-} place word
  _jitctl_words=()
  for ((place = 0; place <= COMP_CWORD; place++)); do
    word=${COMP_WORDS[place]}
    if ((place == 0)) || [[ -z ${COMP_LINE-} || $line == [[:blank:]]* ]]; then
      _jitctl_words+=("$word")
    else
      _jitctl_words[${#_jitctl_words[@]}-1]+=$word
    fi
    line=${line#"${line%%[![:blank:]]*}"}
    line=${line#"$word"}
  done
}

_jitctl() {
  local _jitctl_words cur there= piece value quoted words
  local -a described=()
  COMPREPLY=()
  _jitctl_join
  cur=${_jitctl_words[${#_jitctl_words[@]}-1]}
  # What bash does not take for a part of the word stays as it is on the line.
  if [[ -n ${COMP_LINE-} ]]; then
    piece=${COMP_WORDS[COMP_CWORD]}
    [[ $piece == [=:] ]] && piece=
    there=${cur%"$piece"}
    there=${there%@} # it begins a name of a host, for bash
  fi
  while IFS=$'\t' read -r value words; do
    if [[ $value == :files ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    printf -v quoted '%q' "$value"
    [[ $value == *= ]] && quoted=$value
    [[ $quoted == "$cur"* || $value == "$cur"* ]] || continue
    [[ $value == *= ]] && compopt -o nospace 2>/dev/null
    COMPREPLY+=("${quoted#"$there"}")
    value=${value#"$there"}
    [[ -n $words ]] && printf -v value '%-12s  (%s)' "$value" "$words"
    described+=("$value")
  done < <(jitctl __complete "${_jitctl_words[@]:1}" 2>/dev/null)
  # Where several are listed, and nothing but what they begin with alike is put on the line.
  case "${COMP_TYPE-}" in
    63 | 33 | 64) ((${#described[@]} > 1)) && COMPREPLY=("${described[@]}") ;;
  esac
}

complete -F _jitctl jitctl
