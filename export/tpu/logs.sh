#!/usr/bin/env bash
# Follows the output of the command on one host. Usage: logs.sh [OPTIONS] [HOST]
#
# HOST counts from 0, which is the one that prints the losses. Ctrl-C ends the looking, not the command.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
host=${1:-0}
if ! [[ $host =~ ^[0-9]+$ ]] || ((host >= hosts)); then
  fail "there is no host $host; $ACCELERATOR has $hosts, counted from 0"
fi
on_hosts "$host" logs
