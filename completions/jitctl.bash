# Completion of jitctl for bash.
# Made by packaging/completions.py; a change by hand is lost.

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
        'device'|'policy'|'notify'|'outbox'|'change'|'user'|'network'|'interface') _jitctl_group="$word " ;;
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
    'setup --name') _jitctl_kind='free' ;;
    'setup --device') _jitctl_kind='free' ;;
    'setup --socket') _jitctl_kind='file' ;;
    'setup --host') _jitctl_kind='free' ;;
    'setup --profile') _jitctl_kind='free' ;;
    'connect --reason'|'connect -r') _jitctl_kind='free' ;;
    'connect --duration'|'connect -d') _jitctl_kind='free' ;;
    'connect --until') _jitctl_kind='free' ;;
    'connect --timeout') _jitctl_kind='free' ;;
    'connect --socket') _jitctl_kind='file' ;;
    'connect --host') _jitctl_kind='free' ;;
    'connect --profile') _jitctl_kind='free' ;;
    'disconnect --socket') _jitctl_kind='file' ;;
    'disconnect --host') _jitctl_kind='free' ;;
    'disconnect --profile') _jitctl_kind='free' ;;
    'agent --socket') _jitctl_kind='file' ;;
    'agent --host') _jitctl_kind='free' ;;
    'agent --profile') _jitctl_kind='free' ;;
    'request --reason'|'request -r') _jitctl_kind='free' ;;
    'request --duration'|'request -d') _jitctl_kind='free' ;;
    'request --until') _jitctl_kind='free' ;;
    'request --start') _jitctl_kind='free' ;;
    'request --user'|'request -u') _jitctl_kind='users' ;;
    'request --timeout') _jitctl_kind='free' ;;
    'request --socket') _jitctl_kind='file' ;;
    'request --host') _jitctl_kind='free' ;;
    'request --profile') _jitctl_kind='free' ;;
    'ensure --duration'|'ensure -d') _jitctl_kind='free' ;;
    'ensure --reason'|'ensure -r') _jitctl_kind='free' ;;
    'ensure --timeout') _jitctl_kind='free' ;;
    'ensure --socket') _jitctl_kind='file' ;;
    'ensure --host') _jitctl_kind='free' ;;
    'ensure --profile') _jitctl_kind='free' ;;
    'wait --timeout') _jitctl_kind='free' ;;
    'wait --socket') _jitctl_kind='file' ;;
    'wait --host') _jitctl_kind='free' ;;
    'wait --profile') _jitctl_kind='free' ;;
    'status --output'|'status -o') _jitctl_kind='=table json i3bar waybar prompt' ;;
    'status --socket') _jitctl_kind='file' ;;
    'status --host') _jitctl_kind='free' ;;
    'status --profile') _jitctl_kind='free' ;;
    'cancel --socket') _jitctl_kind='file' ;;
    'cancel --host') _jitctl_kind='free' ;;
    'cancel --profile') _jitctl_kind='free' ;;
    'pause --socket') _jitctl_kind='file' ;;
    'pause --host') _jitctl_kind='free' ;;
    'pause --profile') _jitctl_kind='free' ;;
    'resume --socket') _jitctl_kind='file' ;;
    'resume --host') _jitctl_kind='free' ;;
    'resume --profile') _jitctl_kind='free' ;;
    'release --socket') _jitctl_kind='file' ;;
    'release --host') _jitctl_kind='free' ;;
    'release --profile') _jitctl_kind='free' ;;
    'device add --public-key'|'device add -k') _jitctl_kind='free' ;;
    'device add --interface'|'device add -i') _jitctl_kind='interfaces' ;;
    'device add --until') _jitctl_kind='free' ;;
    'device add --user'|'device add -u') _jitctl_kind='users' ;;
    'device add --socket') _jitctl_kind='file' ;;
    'device add --host') _jitctl_kind='free' ;;
    'device add --profile') _jitctl_kind='free' ;;
    'device list --user'|'device list -u') _jitctl_kind='users' ;;
    'device list --socket') _jitctl_kind='file' ;;
    'device list --host') _jitctl_kind='free' ;;
    'device list --profile') _jitctl_kind='free' ;;
    'device rotate --public-key'|'device rotate -k') _jitctl_kind='free' ;;
    'device rotate --interface'|'device rotate -i') _jitctl_kind='interfaces' ;;
    'device rotate --user'|'device rotate -u') _jitctl_kind='users' ;;
    'device rotate --socket') _jitctl_kind='file' ;;
    'device rotate --host') _jitctl_kind='free' ;;
    'device rotate --profile') _jitctl_kind='free' ;;
    'device remove --user'|'device remove -u') _jitctl_kind='users' ;;
    'device remove --socket') _jitctl_kind='file' ;;
    'device remove --host') _jitctl_kind='free' ;;
    'device remove --profile') _jitctl_kind='free' ;;
    'device config --interface'|'device config -i') _jitctl_kind='interfaces' ;;
    'device config --user'|'device config -u') _jitctl_kind='users' ;;
    'device config --socket') _jitctl_kind='file' ;;
    'device config --host') _jitctl_kind='free' ;;
    'device config --profile') _jitctl_kind='free' ;;
    'device import --map') _jitctl_kind='file' ;;
    'device import --socket') _jitctl_kind='file' ;;
    'device import --host') _jitctl_kind='free' ;;
    'device import --profile') _jitctl_kind='free' ;;
    'list --status'|'list -s') _jitctl_kind='=pending scheduled active denied expired revoked released cancelled lapsed' ;;
    'list --tab') _jitctl_kind='=pending approved denied ended' ;;
    'list --user'|'list -u') _jitctl_kind='users' ;;
    'list --network'|'list -n') _jitctl_kind='networks' ;;
    'list --group') _jitctl_kind='free' ;;
    'list --managed-by') _jitctl_kind='users' ;;
    'list --since') _jitctl_kind='free' ;;
    'list --until') _jitctl_kind='free' ;;
    'list --search') _jitctl_kind='free' ;;
    'list --sort') _jitctl_kind='=newest oldest left' ;;
    'list --columns') _jitctl_kind='=id user network status requested wants granted reason managed-by left bar comment devices asked-by starts ends ended why-ended' ;;
    'list --limit') _jitctl_kind='free' ;;
    'list --after') _jitctl_kind='free' ;;
    'list --output'|'list -o') _jitctl_kind='=table json jsonl csv' ;;
    'list --socket') _jitctl_kind='file' ;;
    'list --host') _jitctl_kind='free' ;;
    'list --profile') _jitctl_kind='free' ;;
    'show --socket') _jitctl_kind='file' ;;
    'show --host') _jitctl_kind='free' ;;
    'show --profile') _jitctl_kind='free' ;;
    'why --socket') _jitctl_kind='file' ;;
    'why --host') _jitctl_kind='free' ;;
    'why --profile') _jitctl_kind='free' ;;
    'dashboard --socket') _jitctl_kind='file' ;;
    'dashboard --host') _jitctl_kind='free' ;;
    'dashboard --profile') _jitctl_kind='free' ;;
    'events --since') _jitctl_kind='free' ;;
    'events --until') _jitctl_kind='free' ;;
    'events --user'|'events -u') _jitctl_kind='users' ;;
    'events --network'|'events -n') _jitctl_kind='networks' ;;
    'events --id') _jitctl_kind='requests' ;;
    'events --kind') _jitctl_kind='free' ;;
    'events --after') _jitctl_kind='free' ;;
    'events --last') _jitctl_kind='free' ;;
    'events --before') _jitctl_kind='free' ;;
    'events --output'|'events -o') _jitctl_kind='=human jsonl csv' ;;
    'events --socket') _jitctl_kind='file' ;;
    'events --host') _jitctl_kind='free' ;;
    'events --profile') _jitctl_kind='free' ;;
    'report --since') _jitctl_kind='free' ;;
    'report --until') _jitctl_kind='free' ;;
    'report --by') _jitctl_kind='=user network approver' ;;
    'report --network'|'report -n') _jitctl_kind='networks' ;;
    'report --user'|'report -u') _jitctl_kind='users' ;;
    'report --limit') _jitctl_kind='free' ;;
    'report --output'|'report -o') _jitctl_kind='=table json csv html' ;;
    'report --socket') _jitctl_kind='file' ;;
    'report --host') _jitctl_kind='free' ;;
    'report --profile') _jitctl_kind='free' ;;
    'watch --user'|'watch -u') _jitctl_kind='users' ;;
    'watch --network'|'watch -n') _jitctl_kind='networks' ;;
    'watch --id') _jitctl_kind='requests' ;;
    'watch --kind') _jitctl_kind='free' ;;
    'watch --since') _jitctl_kind='free' ;;
    'watch --after') _jitctl_kind='free' ;;
    'watch --socket') _jitctl_kind='file' ;;
    'watch --host') _jitctl_kind='free' ;;
    'watch --profile') _jitctl_kind='free' ;;
    'review --network'|'review -n') _jitctl_kind='networks' ;;
    'review --user'|'review -u') _jitctl_kind='users' ;;
    'review --socket') _jitctl_kind='file' ;;
    'review --host') _jitctl_kind='free' ;;
    'review --profile') _jitctl_kind='free' ;;
    'grant --duration'|'grant -d') _jitctl_kind='free' ;;
    'grant --user'|'grant -u') _jitctl_kind='users' ;;
    'grant --network'|'grant -n') _jitctl_kind='networks' ;;
    'grant --until') _jitctl_kind='free' ;;
    'grant --comment'|'grant -c') _jitctl_kind='free' ;;
    'grant --socket') _jitctl_kind='file' ;;
    'grant --host') _jitctl_kind='free' ;;
    'grant --profile') _jitctl_kind='free' ;;
    'extend --duration'|'extend -d') _jitctl_kind='free' ;;
    'extend --until') _jitctl_kind='free' ;;
    'extend --comment'|'extend -c'|'extend --reason'|'extend -r') _jitctl_kind='free' ;;
    'extend --timeout') _jitctl_kind='free' ;;
    'extend --socket') _jitctl_kind='file' ;;
    'extend --host') _jitctl_kind='free' ;;
    'extend --profile') _jitctl_kind='free' ;;
    'deny --reason'|'deny -r') _jitctl_kind='free' ;;
    'deny --user'|'deny -u') _jitctl_kind='users' ;;
    'deny --network'|'deny -n') _jitctl_kind='networks' ;;
    'deny --socket') _jitctl_kind='file' ;;
    'deny --host') _jitctl_kind='free' ;;
    'deny --profile') _jitctl_kind='free' ;;
    'revoke --reason'|'revoke -r') _jitctl_kind='free' ;;
    'revoke --socket') _jitctl_kind='file' ;;
    'revoke --host') _jitctl_kind='free' ;;
    'revoke --profile') _jitctl_kind='free' ;;
    'acknowledge --comment'|'acknowledge -c') _jitctl_kind='free' ;;
    'acknowledge --socket') _jitctl_kind='file' ;;
    'acknowledge --host') _jitctl_kind='free' ;;
    'acknowledge --profile') _jitctl_kind='free' ;;
    'freeze --reason'|'freeze -r') _jitctl_kind='free' ;;
    'freeze --socket') _jitctl_kind='file' ;;
    'freeze --host') _jitctl_kind='free' ;;
    'freeze --profile') _jitctl_kind='free' ;;
    'thaw --socket') _jitctl_kind='file' ;;
    'thaw --host') _jitctl_kind='free' ;;
    'thaw --profile') _jitctl_kind='free' ;;
    'accept-restored --socket') _jitctl_kind='file' ;;
    'accept-restored --host') _jitctl_kind='free' ;;
    'accept-restored --profile') _jitctl_kind='free' ;;
    'network add --route') _jitctl_kind='free' ;;
    'network add --interface'|'network add -i') _jitctl_kind='interfaces' ;;
    'network add --port') _jitctl_kind='free' ;;
    'network add --member') _jitctl_kind='free' ;;
    'network add --default-duration') _jitctl_kind='free' ;;
    'network add --max-duration') _jitctl_kind='free' ;;
    'network add --pending-ttl') _jitctl_kind='free' ;;
    'network add --reason'|'network add -r') _jitctl_kind='free' ;;
    'network add --socket') _jitctl_kind='file' ;;
    'network add --host') _jitctl_kind='free' ;;
    'network add --profile') _jitctl_kind='free' ;;
    'network list --socket') _jitctl_kind='file' ;;
    'network list --host') _jitctl_kind='free' ;;
    'network list --profile') _jitctl_kind='free' ;;
    'network show --socket') _jitctl_kind='file' ;;
    'network show --host') _jitctl_kind='free' ;;
    'network show --profile') _jitctl_kind='free' ;;
    'network set --route') _jitctl_kind='free' ;;
    'network set --port') _jitctl_kind='free' ;;
    'network set --member') _jitctl_kind='free' ;;
    'network set --default-duration') _jitctl_kind='free' ;;
    'network set --max-duration') _jitctl_kind='free' ;;
    'network set --pending-ttl') _jitctl_kind='free' ;;
    'network set --reason'|'network set -r') _jitctl_kind='free' ;;
    'network set --socket') _jitctl_kind='file' ;;
    'network set --host') _jitctl_kind='free' ;;
    'network set --profile') _jitctl_kind='free' ;;
    'network jit --reason'|'network jit -r') _jitctl_kind='free' ;;
    'network jit --socket') _jitctl_kind='file' ;;
    'network jit --host') _jitctl_kind='free' ;;
    'network jit --profile') _jitctl_kind='free' ;;
    'network remove --reason'|'network remove -r') _jitctl_kind='free' ;;
    'network remove --socket') _jitctl_kind='file' ;;
    'network remove --host') _jitctl_kind='free' ;;
    'network remove --profile') _jitctl_kind='free' ;;
    'notify show --user'|'notify show -u') _jitctl_kind='users' ;;
    'notify show --socket') _jitctl_kind='file' ;;
    'notify show --host') _jitctl_kind='free' ;;
    'notify show --profile') _jitctl_kind='free' ;;
    'notify on --user'|'notify on -u') _jitctl_kind='users' ;;
    'notify on --socket') _jitctl_kind='file' ;;
    'notify on --host') _jitctl_kind='free' ;;
    'notify on --profile') _jitctl_kind='free' ;;
    'notify off --user'|'notify off -u') _jitctl_kind='users' ;;
    'notify off --socket') _jitctl_kind='file' ;;
    'notify off --host') _jitctl_kind='free' ;;
    'notify off --profile') _jitctl_kind='free' ;;
    'notify test --to') _jitctl_kind='free' ;;
    'notify test --socket') _jitctl_kind='file' ;;
    'notify test --host') _jitctl_kind='free' ;;
    'notify test --profile') _jitctl_kind='free' ;;
    'outbox list --socket') _jitctl_kind='file' ;;
    'outbox list --host') _jitctl_kind='free' ;;
    'outbox list --profile') _jitctl_kind='free' ;;
    'outbox retry --socket') _jitctl_kind='file' ;;
    'outbox retry --host') _jitctl_kind='free' ;;
    'outbox retry --profile') _jitctl_kind='free' ;;
    'outbox drop --socket') _jitctl_kind='file' ;;
    'outbox drop --host') _jitctl_kind='free' ;;
    'outbox drop --profile') _jitctl_kind='free' ;;
    'policy export --output'|'policy export -o') _jitctl_kind='file' ;;
    'policy export --socket') _jitctl_kind='file' ;;
    'policy export --host') _jitctl_kind='free' ;;
    'policy export --profile') _jitctl_kind='free' ;;
    'policy apply --reason'|'policy apply -r') _jitctl_kind='free' ;;
    'policy apply --socket') _jitctl_kind='file' ;;
    'policy apply --host') _jitctl_kind='free' ;;
    'policy apply --profile') _jitctl_kind='free' ;;
    'change list --socket') _jitctl_kind='file' ;;
    'change list --host') _jitctl_kind='free' ;;
    'change list --profile') _jitctl_kind='free' ;;
    'change approve --comment'|'change approve -m') _jitctl_kind='free' ;;
    'change approve --socket') _jitctl_kind='file' ;;
    'change approve --host') _jitctl_kind='free' ;;
    'change approve --profile') _jitctl_kind='free' ;;
    'change reject --comment'|'change reject -m') _jitctl_kind='free' ;;
    'change reject --socket') _jitctl_kind='file' ;;
    'change reject --host') _jitctl_kind='free' ;;
    'change reject --profile') _jitctl_kind='free' ;;
    'user add --until') _jitctl_kind='free' ;;
    'user add --email') _jitctl_kind='free' ;;
    'user add --reason'|'user add -r') _jitctl_kind='free' ;;
    'user add --socket') _jitctl_kind='file' ;;
    'user add --host') _jitctl_kind='free' ;;
    'user add --profile') _jitctl_kind='free' ;;
    'user list --socket') _jitctl_kind='file' ;;
    'user list --host') _jitctl_kind='free' ;;
    'user list --profile') _jitctl_kind='free' ;;
    'user set --until') _jitctl_kind='free' ;;
    'user set --email') _jitctl_kind='free' ;;
    'user set --reason'|'user set -r') _jitctl_kind='free' ;;
    'user set --socket') _jitctl_kind='file' ;;
    'user set --host') _jitctl_kind='free' ;;
    'user set --profile') _jitctl_kind='free' ;;
    'user disable --reason'|'user disable -r') _jitctl_kind='free' ;;
    'user disable --socket') _jitctl_kind='file' ;;
    'user disable --host') _jitctl_kind='free' ;;
    'user disable --profile') _jitctl_kind='free' ;;
    'user enable --reason'|'user enable -r') _jitctl_kind='free' ;;
    'user enable --socket') _jitctl_kind='file' ;;
    'user enable --host') _jitctl_kind='free' ;;
    'user enable --profile') _jitctl_kind='free' ;;
    'user confirm --reason'|'user confirm -r') _jitctl_kind='free' ;;
    'user confirm --socket') _jitctl_kind='file' ;;
    'user confirm --host') _jitctl_kind='free' ;;
    'user confirm --profile') _jitctl_kind='free' ;;
    'interface add --pool') _jitctl_kind='free' ;;
    'interface add --endpoint') _jitctl_kind='free' ;;
    'interface add --port') _jitctl_kind='free' ;;
    'interface add --dns') _jitctl_kind='free' ;;
    'interface add --mtu') _jitctl_kind='free' ;;
    'interface add --socket') _jitctl_kind='file' ;;
    'interface add --host') _jitctl_kind='free' ;;
    'interface add --profile') _jitctl_kind='free' ;;
    'interface adopt --endpoint') _jitctl_kind='free' ;;
    'interface adopt --pool') _jitctl_kind='free' ;;
    'interface adopt --dns') _jitctl_kind='free' ;;
    'interface adopt --socket') _jitctl_kind='file' ;;
    'interface adopt --host') _jitctl_kind='free' ;;
    'interface adopt --profile') _jitctl_kind='free' ;;
    'interface list --socket') _jitctl_kind='file' ;;
    'interface list --host') _jitctl_kind='free' ;;
    'interface list --profile') _jitctl_kind='free' ;;
    'interface show --socket') _jitctl_kind='file' ;;
    'interface show --host') _jitctl_kind='free' ;;
    'interface show --profile') _jitctl_kind='free' ;;
    'interface set --pool') _jitctl_kind='free' ;;
    'interface set --endpoint') _jitctl_kind='free' ;;
    'interface set --port') _jitctl_kind='free' ;;
    'interface set --dns') _jitctl_kind='free' ;;
    'interface set --mtu') _jitctl_kind='free' ;;
    'interface set --socket') _jitctl_kind='file' ;;
    'interface set --host') _jitctl_kind='free' ;;
    'interface set --profile') _jitctl_kind='free' ;;
    'interface enforce --reason'|'interface enforce -r') _jitctl_kind='free' ;;
    'interface enforce --socket') _jitctl_kind='file' ;;
    'interface enforce --host') _jitctl_kind='free' ;;
    'interface enforce --profile') _jitctl_kind='free' ;;
    'interface remove --socket') _jitctl_kind='file' ;;
    'interface remove --host') _jitctl_kind='free' ;;
    'interface remove --profile') _jitctl_kind='free' ;;
    'doctor --network'|'doctor -n') _jitctl_kind='networks' ;;
    'doctor --user'|'doctor -u') _jitctl_kind='users' ;;
    'doctor --socket') _jitctl_kind='file' ;;
    'doctor --host') _jitctl_kind='free' ;;
    'doctor --profile') _jitctl_kind='free' ;;
    'gate --user') _jitctl_kind='users' ;;
    'gate --socket') _jitctl_kind='file' ;;
    'gate --host') _jitctl_kind='free' ;;
    'gate --profile') _jitctl_kind='free' ;;
    'dial-stdio --socket') _jitctl_kind='file' ;;
    'dial-stdio --host') _jitctl_kind='free' ;;
    'dial-stdio --profile') _jitctl_kind='free' ;;
    *' --socket') _jitctl_kind=file ;;
    *' --host' | *' --profile') _jitctl_kind=free ;;
  esac
}

_jitctl_argument() {
  _jitctl_kind=
  case "$1" in
    'setup ''1') _jitctl_kind='free' ;;
    'connect ''1') _jitctl_kind='networks' ;;
    'disconnect ''1') _jitctl_kind='networks' ;;
    'request ''1') _jitctl_kind='networks' ;;
    'ensure ''1') _jitctl_kind='networks' ;;
    'wait ''1') _jitctl_kind='requests' ;;
    'cancel ''1') _jitctl_kind='own' ;;
    'pause ''1') _jitctl_kind='own' ;;
    'resume ''1') _jitctl_kind='own' ;;
    'release ''1') _jitctl_kind='own' ;;
    'device add ''1') _jitctl_kind='free' ;;
    'device rotate ''1') _jitctl_kind='devices' ;;
    'device remove ''1') _jitctl_kind='devices' ;;
    'device config ''1') _jitctl_kind='devices' ;;
    'device import ''1') _jitctl_kind='interfaces' ;;
    'show ''1') _jitctl_kind='requests' ;;
    'why '*) _jitctl_kind='networks' ;;
    'review '*) _jitctl_kind='decidable' ;;
    'grant '*) _jitctl_kind='decidable' ;;
    'extend ''1') _jitctl_kind='live' ;;
    'deny '*) _jitctl_kind='decidable' ;;
    'revoke ''1') _jitctl_kind='live' ;;
    'acknowledge ''1') _jitctl_kind='requests' ;;
    'network add ''1') _jitctl_kind='free' ;;
    'network add '*) _jitctl_kind='=routes= ports= members= approvers= approvals= default_duration= max_duration= min_duration= extend_beyond_max= pending_ttl= reason= reason_min_length= reason_pattern= reason_expected= jit.enabled= jit.groups= jit.exempt= jit.admins_too= jit.hours= jit.break_glass= jit.break_glass_max= jit.break_glass_reason_min_length= jit.break_glass_quota= jit.auto_approve=' ;;
    'network show ''1') _jitctl_kind='networks' ;;
    'network set ''1') _jitctl_kind='networks' ;;
    'network set '*) _jitctl_kind='=routes= ports= members= approvers= approvals= default_duration= max_duration= min_duration= extend_beyond_max= pending_ttl= reason= reason_min_length= reason_pattern= reason_expected= jit.enabled= jit.groups= jit.exempt= jit.admins_too= jit.hours= jit.break_glass= jit.break_glass_max= jit.break_glass_reason_min_length= jit.break_glass_quota= jit.auto_approve=' ;;
    'network jit ''1') _jitctl_kind='networks' ;;
    'network jit ''2') _jitctl_kind='=on off' ;;
    'network remove ''1') _jitctl_kind='networks' ;;
    'outbox retry '*) _jitctl_kind='free' ;;
    'outbox drop '*) _jitctl_kind='free' ;;
    'policy apply ''1') _jitctl_kind='file' ;;
    'change approve ''1') _jitctl_kind='free' ;;
    'change reject ''1') _jitctl_kind='free' ;;
    'user add ''1') _jitctl_kind='free' ;;
    'user set ''1') _jitctl_kind='users' ;;
    'user disable ''1') _jitctl_kind='users' ;;
    'user enable ''1') _jitctl_kind='users' ;;
    'user confirm '*) _jitctl_kind='users' ;;
    'interface add ''1') _jitctl_kind='free' ;;
    'interface adopt ''1') _jitctl_kind='interfaces' ;;
    'interface show ''1') _jitctl_kind='interfaces' ;;
    'interface set ''1') _jitctl_kind='interfaces' ;;
    'interface enforce ''1') _jitctl_kind='interfaces' ;;
    'interface enforce ''2') _jitctl_kind='=on off' ;;
    'interface remove ''1') _jitctl_kind='interfaces' ;;
    'doctor ''1') _jitctl_kind='examined' ;;
  esac
}

_jitctl_options() {
  _jitctl_flags=()
  case "$1" in
    'setup') _jitctl_flags=('--name' '--device' '--json' '--socket' '--host' '--profile' '--help') ;;
    'connect') _jitctl_flags=('--reason' '-r' '--duration' '-d' '--until' '--again' '--timeout' '--json' '--socket' '--host' '--profile' '--help') ;;
    'disconnect') _jitctl_flags=('--release' '--json' '--socket' '--host' '--profile' '--help') ;;
    'agent') _jitctl_flags=('--while-needed' '--json' '--socket' '--host' '--profile' '--help') ;;
    'request') _jitctl_flags=('--reason' '-r' '--duration' '-d' '--until' '--start' '--again' '--urgent' '--break-glass' '--dry-run' '--user' '-u' '--wait' '-w' '--timeout' '--json' '--socket' '--host' '--profile' '--help') ;;
    'ensure') _jitctl_flags=('--duration' '-d' '--reason' '-r' '--wait' '-w' '--timeout' '--json' '--socket' '--host' '--profile' '--help') ;;
    'wait') _jitctl_flags=('--timeout' '--json' '--socket' '--host' '--profile' '--help') ;;
    'status') _jitctl_flags=('--watch' '--all' '-a' '--output' '-o' '--json' '--socket' '--host' '--profile' '--help') ;;
    'cancel') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'pause') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'resume') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'release') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'device add') _jitctl_flags=('--public-key' '-k' '--qr' '--interface' '-i' '--until' '--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'device list') _jitctl_flags=('--user' '-u' '--all' '-a' '--json' '--socket' '--host' '--profile' '--help') ;;
    'device rotate') _jitctl_flags=('--public-key' '-k' '--qr' '--interface' '-i' '--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'device remove') _jitctl_flags=('--lost' '--user' '-u' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'device config') _jitctl_flags=('--interface' '-i' '--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'device import') _jitctl_flags=('--map' '--json' '--socket' '--host' '--profile' '--help') ;;
    'list') _jitctl_flags=('--status' '-s' '--tab' '--user' '-u' '--network' '-n' '--group' '--managed-by' '--since' '--until' '--search' '--mine' '--decidable' '--sort' '--columns' '--limit' '--after' '--count' '--output' '-o' '--json' '--socket' '--host' '--profile' '--help') ;;
    'show') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'why') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'dashboard') _jitctl_flags=('--light' '--json' '--socket' '--host' '--profile' '--help') ;;
    'events') _jitctl_flags=('--since' '--until' '--user' '-u' '--network' '-n' '--id' '--kind' '--after' '--last' '--before' '--all' '--follow' '-f' '--output' '-o' '--json' '--socket' '--host' '--profile' '--help') ;;
    'report') _jitctl_flags=('--since' '--until' '--by' '--network' '-n' '--user' '-u' '--limit' '--output' '-o' '--json' '--socket' '--host' '--profile' '--help') ;;
    'watch') _jitctl_flags=('--user' '-u' '--network' '-n' '--id' '--kind' '--since' '--after' '--bell' '--json' '--socket' '--host' '--profile' '--help') ;;
    'review') _jitctl_flags=('--network' '-n' '--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'grant') _jitctl_flags=('--duration' '-d' '--user' '-u' '--network' '-n' '--all' '--until' '--comment' '-c' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'extend') _jitctl_flags=('--duration' '-d' '--until' '--comment' '-c' '--reason' '-r' '--wait' '-w' '--timeout' '--json' '--socket' '--host' '--profile' '--help') ;;
    'deny') _jitctl_flags=('--reason' '-r' '--all' '--user' '-u' '--network' '-n' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'revoke') _jitctl_flags=('--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'acknowledge') _jitctl_flags=('--comment' '-c' '--json' '--socket' '--host' '--profile' '--help') ;;
    'freeze') _jitctl_flags=('--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'thaw') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'accept-restored') _jitctl_flags=('--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'network add') _jitctl_flags=('--route' '--interface' '-i' '--port' '--member' '--default-duration' '--max-duration' '--pending-ttl' '--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'network list') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'network show') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'network set') _jitctl_flags=('--route' '--port' '--no-ports' '--member' '--no-members' '--default-duration' '--max-duration' '--pending-ttl' '--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'network jit') _jitctl_flags=('--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'network remove') _jitctl_flags=('--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'notify show') _jitctl_flags=('--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'notify on') _jitctl_flags=('--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'notify off') _jitctl_flags=('--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'notify test') _jitctl_flags=('--to' '--json' '--socket' '--host' '--profile' '--help') ;;
    'outbox list') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'outbox retry') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'outbox drop') _jitctl_flags=('--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'policy export') _jitctl_flags=('--output' '-o' '--json' '--socket' '--host' '--profile' '--help') ;;
    'policy apply') _jitctl_flags=('--yes' '-y' '--check' '--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'change list') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'change approve') _jitctl_flags=('--comment' '-m' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'change reject') _jitctl_flags=('--comment' '-m' '--json' '--socket' '--host' '--profile' '--help') ;;
    'user add') _jitctl_flags=('--until' '--email' '--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'user list') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'user set') _jitctl_flags=('--until' '--email' '--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'user disable') _jitctl_flags=('--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'user enable') _jitctl_flags=('--reason' '-r' '--json' '--socket' '--host' '--profile' '--help') ;;
    'user confirm') _jitctl_flags=('--all' '--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'interface add') _jitctl_flags=('--pool' '--endpoint' '--port' '--dns' '--mtu' '--json' '--socket' '--host' '--profile' '--help') ;;
    'interface adopt') _jitctl_flags=('--endpoint' '--pool' '--dns' '--json' '--socket' '--host' '--profile' '--help') ;;
    'interface list') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'interface show') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
    'interface set') _jitctl_flags=('--pool' '--endpoint' '--port' '--dns' '--mtu' '--json' '--socket' '--host' '--profile' '--help') ;;
    'interface enforce') _jitctl_flags=('--reason' '-r' '--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'interface remove') _jitctl_flags=('--yes' '-y' '--json' '--socket' '--host' '--profile' '--help') ;;
    'doctor') _jitctl_flags=('--network' '-n' '--user' '-u' '--json' '--socket' '--host' '--profile' '--help') ;;
    'gate') _jitctl_flags=('--user' '--json' '--socket' '--host' '--profile' '--help') ;;
    'dial-stdio') _jitctl_flags=('--json' '--socket' '--host' '--profile' '--help') ;;
  esac
}

_jitctl_verbs() {
  _jitctl_names=()
  case "$1" in
    '') _jitctl_names=('setup' 'connect' 'disconnect' 'agent' 'request' 'ensure' 'wait' 'status' 'cancel' 'pause' 'resume' 'release' 'device' 'list' 'show' 'why' 'dashboard' 'events' 'report' 'watch' 'review' 'grant' 'extend' 'deny' 'revoke' 'acknowledge' 'freeze' 'thaw' 'accept-restored' 'network' 'notify' 'outbox' 'policy' 'change' 'user' 'interface' 'doctor' 'gate' 'dial-stdio') ;;
    'device ') _jitctl_names=('add' 'list' 'rotate' 'remove' 'config' 'import') ;;
    'policy ') _jitctl_names=('export' 'apply') ;;
    'notify ') _jitctl_names=('show' 'on' 'off' 'test') ;;
    'outbox ') _jitctl_names=('list' 'retry' 'drop') ;;
    'change ') _jitctl_names=('list' 'approve' 'reject') ;;
    'user ') _jitctl_names=('add' 'list' 'set' 'disable' 'enable' 'confirm') ;;
    'network ') _jitctl_names=('add' 'list' 'show' 'set' 'jit' 'remove') ;;
    'interface ') _jitctl_names=('add' 'adopt' 'list' 'show' 'set' 'enforce' 'remove') ;;
  esac
}

_jitctl_offer() {
  local one
  for one in "$@"; do
    [[ $one == "$cur"* ]] && COMPREPLY+=("${one#"$_jitctl_there"}")
  done
}

_jitctl_known() {
  local value quoted words
  case "$_jitctl_kind" in
    '' | free) ;;
    file) compopt -o default 2>/dev/null ;;
    '='*)
      read -r -a words <<<"${_jitctl_kind#=}"
      _jitctl_offer "${words[@]}"
      [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
      ;;
    *)
      local -a described=()
      while IFS=$'\t' read -r value words; do
        printf -v quoted '%q' "$value"
        [[ $quoted == "$cur"* || $value == "$cur"* ]] || continue
        COMPREPLY+=("${quoted#"$_jitctl_there"}")
        value=${value#"$_jitctl_there"}
        printf -v value '%-12s  (%s)' "$value" "$words"
        described+=("$value")
      done < <(jitctl __complete "$_jitctl_kind" "${_jitctl_where[@]}" 2>/dev/null)
      # Where several are listed, and nothing but what they begin with alike is put on the line.
      case "${COMP_TYPE-}" in
        63 | 33 | 64) ((${#described[@]} > 1)) && COMPREPLY=("${described[@]}") ;;
      esac
      ;;
  esac
}

# The words before the cursor, in _jitctl_words: bash breaks them at @, = and other characters as well.
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
  local cur _jitctl_there= _jitctl_words
  local _jitctl_verb _jitctl_group _jitctl_want _jitctl_place _jitctl_kind _jitctl_flags _jitctl_names _jitctl_where
  COMPREPLY=()
  _jitctl_join
  cur=${_jitctl_words[${#_jitctl_words[@]}-1]}
  _jitctl_walk "${_jitctl_words[@]:1:${#_jitctl_words[@]}-2}"
  if [[ -z $_jitctl_want && $cur == --*=* ]]; then
    _jitctl_want=${cur%%=*}
    cur=${cur#*=}
  fi
  # What bash does not take for a part of the word stays as it is on the line.
  if [[ -n ${COMP_LINE-} ]]; then
    local piece=${COMP_WORDS[COMP_CWORD]}
    [[ $piece == [=:] ]] && piece=
    _jitctl_there=${cur%"$piece"}
    _jitctl_there=${_jitctl_there%@} # it begins a name of a host, for bash
  fi
  if [[ -n $_jitctl_want ]]; then
    _jitctl_value "$_jitctl_verb $_jitctl_want"
    _jitctl_known
  elif [[ $cur == -* ]]; then
    _jitctl_options "$_jitctl_verb"
    ((${#_jitctl_flags[@]})) || _jitctl_flags=(--json --socket --host --profile --version --help)
    _jitctl_offer "${_jitctl_flags[@]}"
  elif [[ -z $_jitctl_verb ]]; then
    _jitctl_verbs "$_jitctl_group"
    _jitctl_offer "${_jitctl_names[@]}"
  else
    _jitctl_argument "$_jitctl_verb $_jitctl_place"
    _jitctl_known
  fi
}

complete -F _jitctl jitctl
