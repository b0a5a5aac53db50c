#!/usr/bin/env bash
# Gives the slice back, with all that is on its disks; the bucket stays. Usage: delete.sh [OPTIONS]
#
# Stop a training first (stop.sh), so that it saves.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($# == 0)) || fail "it takes no words, but got: $*"
run gcloud compute tpus queued-resources delete "$NAME" "${where[@]}" --force --quiet
