#!/usr/bin/env bash
# Stops the command on all hosts; a training saves first. Usage: stop.sh [OPTIONS]
#
# The slice stays, and costs; delete.sh gives it back.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($# == 0)) || fail "it takes no words, but got: $*"
on_hosts all stop
