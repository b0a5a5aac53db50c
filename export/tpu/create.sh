#!/usr/bin/env bash
# Asks for the slice and waits until it is there. Usage: create.sh [OPTIONS]
#
# The same command after a spot slice was taken away asks for a new one; while the slice is there it does nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($# == 0)) || fail "it takes no words, but got: $*"

request() {
  local flags=()
  case $PROVISIONING in
    spot) flags+=(--spot) ;;
    reserved) flags+=(--reserved) ;;
  esac
  [[ -z $SERVICE_ACCOUNT ]] || flags+=(--service-account="$SERVICE_ACCOUNT")
  run gcloud compute tpus queued-resources create "$NAME" "${where[@]}" --node-id="$NAME" \
    --accelerator-type="$ACCELERATOR" --runtime-version="$RUNTIME" ${flags[@]+"${flags[@]}"}
}

if [[ $dry_run == yes ]]; then
  request
  exit
fi

told=''
while :; do
  now=$(state)
  [[ $now == "$told" ]] || say "$NAME ($ACCELERATOR): $now"
  told=$now
  case $now in
    ACTIVE) break ;;
    ABSENT) request ;;
    SUSPENDED | FAILED)
      # Taken away, or refused: such a request never comes back to life.
      run gcloud compute tpus queued-resources delete "$NAME" "${where[@]}" --force --quiet
      ;;
    *) sleep "${POLL_SECONDS:-30}" ;;
  esac
done
