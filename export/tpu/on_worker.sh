#!/usr/bin/env bash
# The part that runs on a host of the slice, started by the other scripts over ssh.
# Usage: BUCKET=NAME on_worker.sh setup|state|logs|stop, or start COMMAND WORD…
#
# BUCKET may be empty: then results go to ~/elf-runs on this host's disk.
set -euo pipefail

code=$HOME/elf
environment=$HOME/elf-env
log=$HOME/elf.log
mount=$HOME/elf-bucket

# A service of systemd: it outlives the ssh connection, is there at most once, and can be asked to end.
state() {
  case $(systemctl show elf --property=SubState --value) in
    exited) echo ended ;;
    failed) echo failed ;;
    dead) echo absent ;;
    *) echo running ;;
  esac
}

setup() {
  if [[ $(state) == running ]]; then
    echo "$(hostname): a command runs here; left as it is"
    return
  fi
  python3 -m pip install --quiet --user uv
  local uv=$HOME/.local/bin/uv
  [[ -d $environment ]] || "$uv" venv --quiet --python 3.11 "$environment"
  local python=$environment/bin/python
  "$uv" pip install --quiet --python "$python" --require-hashes --requirement "$code/export/requirements.txt"
  # The TPU's runtime is no part of the common requirements; this is the one that belongs to their JAX.
  local jax
  jax=$("$python" -c 'from importlib.metadata import version; print(version("jax"))')
  "$uv" pip install --quiet --python "$python" "jax[tpu]==$jax"
  "$uv" pip install --quiet --python "$python" --no-deps --no-build-isolation --reinstall-package elf-playground "$code/export"
  mount_bucket
  echo "$(hostname): ready"
}

mount_bucket() {
  if [[ -z ${BUCKET:-} ]] || mountpoint --quiet "$mount"; then
    return
  fi
  if ! command -v gcsfuse >/dev/null; then
    local apt=https://packages.cloud.google.com/apt key=/usr/share/keyrings/cloud.google.asc
    curl --fail --silent --show-error "$apt/doc/apt-key.gpg" | sudo tee "$key" >/dev/null
    echo "deb [signed-by=$key] $apt gcsfuse-$(lsb_release --codename --short) main" |
      sudo tee /etc/apt/sources.list.d/gcsfuse.list >/dev/null
    sudo apt-get update --quiet --quiet
    sudo apt-get install --quiet --quiet --yes gcsfuse
  fi
  mkdir -p "$mount"
  # Nothing is remembered between two looks: the hosts must see at once what another of them has written.
  gcsfuse --implicit-dirs --metadata-cache-ttl-secs=0 --metadata-cache-negative-ttl-secs=0 "$BUCKET" "$mount"
}

start() {
  local now
  now=$(state)
  if [[ $now == running ]]; then
    echo "$(hostname): a command runs here already; left as it is"
    return
  fi
  mount_bucket
  local output=$HOME/elf-runs
  [[ -z ${BUCKET:-} ]] || output=$mount
  mkdir -p "$output"
  local word words=()
  for word in "$@"; do
    case $word in
      OUTPUT/*) word=$output/${word#OUTPUT/} ;;
      *=OUTPUT/*) word=${word%%=*}=$output/${word#*=OUTPUT/} ;;
    esac
    words+=("$word")
  done
  # What has ended or failed still bears the name.
  sudo systemctl stop elf 2>/dev/null || true
  sudo systemctl reset-failed elf 2>/dev/null || true
  # A crash starts it again, and a training resumes; not for ever, where it crashes at once. A stop is sent to the
  # command alone, which ends its helpers itself after saving. Locked memory is how the TPU is reached.
  sudo systemd-run --quiet --unit=elf --uid="$(id -u)" --gid="$(id -g)" --working-directory="$code" \
    --setenv=HOME="$HOME" --setenv=PATH="$environment/bin:$PATH" --setenv=PYTHONUNBUFFERED=1 \
    --property=RemainAfterExit=yes --property=Restart=on-failure --property=RestartSec=30 \
    --property=StartLimitIntervalSec=600 --property=StartLimitBurst=5 \
    --property=KillMode=mixed --property=TimeoutStopSec=900 \
    --property=LimitMEMLOCK=infinity --property=LimitNOFILE=1048576 \
    --property=StandardOutput="append:$log" --property=StandardError="append:$log" \
    "$environment/bin/elf" "${words[@]}"
  echo "$(hostname): started elf ${words[*]}"
}

case ${1:-} in
  setup) setup ;;
  start) shift; start "$@" ;;
  state) echo "$(hostname): $(state)" ;;
  logs) tail --lines=100 --follow=name --retry "$log" ;;
  stop) sudo systemctl stop elf ;;
  *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
