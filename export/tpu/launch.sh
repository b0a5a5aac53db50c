#!/usr/bin/env bash
# Starts a command of elf on all hosts of the slice and returns. Usage: launch.sh [OPTIONS] COMMAND WORD…
#
# One command at a time; it goes on when this machine disconnects, and is started again when it crashes. Files of the
# package are named from the repository's root, and a leading OUTPUT/ stands for the bucket (or, without one, for
# ~/elf-runs):
#
#   launch.sh train --config export/configs/owt-elf-b.yml out=OUTPUT/owt-elf-b
#   launch.sh evaluate OUTPUT/owt-elf-b --config export/configs/owt-elf-b.yml …
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($#)) || { usage >&2; exit 2; }
on_hosts all start "$@"
