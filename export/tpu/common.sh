# Sourced by every script here: reads --slice, --dry-run and --help off the words, then the slice's file.
# What is left of the words stays in "$@".
# shellcheck shell=bash disable=SC2034  # the variables are for the scripts

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
slice_file=$here/slice.conf
dry_run=no

# The comment at the head of the script is its help.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
  printf '\nOptions: --slice FILE  the slice to use (default: slice.conf beside this script)\n'
  printf '         --dry-run     print every gcloud command instead of running it\n'
}

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 2
}

say() { printf '%s\n' "$*" >&2; }

while (($#)); do
  case $1 in
    --slice) [[ $# -ge 2 ]] || fail "--slice needs a file"; slice_file=$2; shift 2 ;;
    --dry-run) dry_run=yes; shift ;;
    -h | --help) usage; exit 0 ;;
    *) break ;;
  esac
done

[[ -r $slice_file ]] || fail "there is no file $slice_file; give a copy of slice.conf by --slice FILE"
PROJECT='' ZONE='' NAME='' ACCELERATOR='' RUNTIME='' PROVISIONING=spot BUCKET='' SERVICE_ACCOUNT=''
# shellcheck source=slice.conf
source "$slice_file"
for variable in PROJECT ZONE NAME ACCELERATOR RUNTIME; do
  [[ -n ${!variable} ]] || fail "$variable is empty; set it in $slice_file"
done
case $PROVISIONING in
  spot | reserved | on-demand) ;;
  *) fail "PROVISIONING is '$PROVISIONING' in $slice_file; choose spot, reserved or on-demand" ;;
esac
BUCKET=${BUCKET#gs://}

# Hosts of the slice: v4 and v5p are named after their cores, 8 to a host; v5e and v6e after their chips, of which a
# host has up to 8, and 4 where the slice has several hosts.
hosts() {
  local size=${ACCELERATOR##*-}
  [[ $size =~ ^[0-9]+$ ]] || fail "ACCELERATOR is '$ACCELERATOR' in $slice_file; give TYPE-SIZE, such as v5p-64"
  case $ACCELERATOR in
    v5litepod-* | v6e-*) if ((size <= 8)); then echo 1; else echo $((size / 4)); fi ;;
    *) if ((size <= 8)); then echo 1; else echo $((size / 8)); fi ;;
  esac
}
hosts=$(hosts)
((hosts == 1)) || [[ -n $BUCKET ]] || fail "$ACCELERATOR has $hosts hosts, which need a common BUCKET; set it in $slice_file"

where=(--zone="$ZONE" --project="$PROJECT")

# Runs a command, or prints it, quoted so that it can be pasted.
run() {
  if [[ $dry_run == no ]]; then
    "$@"
    return
  fi
  local word line=''
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_.,:=/@%+-]+$ ]] || word="'${word//\'/\'\\\'\'}'"
    line+=" $word"
  done
  printf '%s\n' "${line# }"
}

# The state of the queued resource: ACTIVE, WAITING_FOR_RESOURCES, SUSPENDED …, or ABSENT.
state() {
  local printed
  if printed=$(gcloud compute tpus queued-resources describe "$NAME" "${where[@]}" --format='value(state.state)' 2>&1); then
    printf '%s\n' "$printed"
  elif [[ $printed == *NOT_FOUND* ]]; then
    echo ABSENT
  else
    fail "gcloud cannot tell the state of $NAME: $printed"
  fi
}

# on_hosts WHICH WORD…: runs on_worker.sh with these words on the hosts WHICH ("all", or a number).
on_hosts() {
  local which=$1 words
  shift
  printf -v words '%q ' "$@"
  run gcloud compute tpus tpu-vm ssh "$NAME" "${where[@]}" --worker="$which" \
    --command="BUCKET=$BUCKET bash elf/export/tpu/on_worker.sh ${words% }"
}
