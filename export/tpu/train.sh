#!/usr/bin/env bash
# From nothing to a training on the slice, or back to it. Usage: train.sh [OPTIONS] [--keep] CONFIG [field=value …]
#
# CONFIG is a name in export/configs/, such as owt-elf-b. Creates the slice, sets it up and starts the training; what is
# done already is left as it is. The same command resumes from the newest checkpoint after the slice was taken away.
# With --keep it does that by itself until the training has ended, and must stay running for it.
set -euo pipefail
arguments=("$@")
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
common=("${arguments[@]:0:${#arguments[@]}-$#}")

keep=no
if [[ ${1:-} == --keep ]]; then
  keep=yes
  shift
fi
(($#)) || { usage >&2; exit 2; }
config=$(basename "$1" .yml)
shift
[[ -r $here/../configs/$config.yml ]] || fail "there is no export/configs/$config.yml"

begin() {
  "$here/create.sh" ${common[@]+"${common[@]}"}
  "$here/setup.sh" ${common[@]+"${common[@]}"}
  "$here/launch.sh" ${common[@]+"${common[@]}"} \
    train --config "export/configs/$config.yml" --distributed auto out="OUTPUT/$config" "$@"
}

begin "$@"
while [[ $keep == yes ]]; do
  [[ $dry_run == no ]] || break
  sleep "${POLL_SECONDS:-300}"
  # A slice that is going away answers no more; that is no reason to give up.
  case $(on_hosts 0 state || echo lost) in
    *': running') ;;
    *': ended') say "the training has ended"; break ;;
    *': failed') fail "the training failed again and again; see logs.sh" ;;
    *) say "lost the slice or the training; beginning again"; begin "$@" || say "that failed; trying again" ;;
  esac
done
