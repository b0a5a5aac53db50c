#!/usr/bin/env bash
# Tells the state of the slice and of the command on each host. Usage: status.sh [OPTIONS]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($# == 0)) || fail "it takes no words, but got: $*"
run gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" --format='value(state.state)'
on_hosts all state
