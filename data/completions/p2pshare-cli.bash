# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for p2pshare-cli
_p2pshare_cli() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} options
  local verbs="serve search get peers files downloads queries stats status skipped link add-peer
    remove-peer pause resume cancel clear rescan"
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$cur")
    return
  fi
  case $prev in
    --state-dir | --output | -o)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      return ;;
    --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return ;;
    --timeout | --min-hits) return ;;
  esac
  case $verb in
    serve) options="--config --state-dir" ;;
    search) options="--state-dir --json --timeout --min-hits" ;;
    get) options="--state-dir --json --output --timeout" ;;
    link) options="--state-dir --metalink --timeout" ;;
    peers | files | downloads | queries | stats | status | skipped) options="--state-dir --json" ;;
    *) options="--state-dir" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options --help --version" -- "$cur")
}
complete -F _p2pshare_cli p2pshare-cli
