#!/usr/bin/env bash
# Puts this folder's Python package onto all hosts of the slice. Usage: setup.sh [OPTIONS]
#
# Copies export/ as it lies here, uncommitted changes too, installs what it needs and mounts the bucket. The same
# command brings a later version; hosts on which a command runs are left as they are.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
(($# == 0)) || fail "it takes no words, but got: $*"

archive=$(mktemp "${TMPDIR:-/tmp}/elf.XXXXXX")
trap 'rm -f "$archive"' EXIT
tar -C "$here/../.." --exclude=.venv --exclude=__pycache__ --exclude='.*_cache' --exclude=build --exclude='*.egg-info' \
  -czf "$archive" export

run gcloud compute tpus tpu-vm scp "$archive" "$NAME:elf.tar.gz" "${where[@]}" --worker=all
# shellcheck disable=SC2016  # for the host's shell
idle='case $(systemctl show elf --property=SubState --value) in dead | exited | failed) ;; *) false ;; esac'
unpack="if $idle; then rm -rf elf && mkdir elf && tar -xzf elf.tar.gz -C elf; fi"
run gcloud compute tpus tpu-vm ssh "$NAME" "${where[@]}" --worker=all --command="$unpack"
on_hosts all setup
