#!/bin/bash
# One sweep over simulated PDUs, ours and a plain UDP program in turn, with none, 5 % and 50 % of them dead.
#
# usage: benches/snmp/sweep.sh FOLDER [N...]      FOLDER holds `responder` and `rawudp`; BUSY=1 adds two busy loops a core
#
# `responder PORT -d PERCENT` answers for every 127.x.y.z; `rawudp N -w WINDOW` asks N of them with one socket.
# Runs in a network namespace of its own where it may, so that nothing else can reach or be reached.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "${1:?the folder of responder and rawudp}" && pwd)
shift
if [ -z "${IN_NAMESPACE-}" ] && unshare -n true 2>/dev/null; then
  exec env IN_NAMESPACE=1 "$here/../in_ns" "$0" "$folder" "$@"
fi
[ $# -gt 0 ] || set -- 100 1000 10000
sweep=${SWEEP:-$here/../target/release/sweep}
[ -x "$sweep" ] || cargo build --release --manifest-path "$here/../Cargo.toml" -p snmp-benches
children=()
trap 'kill "${children[@]}" 2>/dev/null || true' EXIT
if [ -n "${BUSY-}" ]; then
  for _ in $(seq $((2 * $(nproc)))); do
    (while :; do :; done) &
    children+=($!)
  done
fi
for dead in 0 5 50; do
  "$folder/responder" 1161 -d "$dead" 2>/dev/null &
  responder=$!
  children+=("$responder")
  sleep 0.3
  for n in "$@"; do
    echo "== $n PDUs, $dead % dead"
    for _ in 1 2 3; do
      if [ "$dead" = 0 ]; then "$folder/rawudp" "$n"; else "$folder/rawudp" "$n" -w 20000; fi
      "$sweep" "$n"
    done
  done
  kill "$responder"
  wait "$responder" || true
done
