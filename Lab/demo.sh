#!/bin/bash
# demo.sh - a machine boots from the SAN and moves between two nodes, quick and live, while a client talks to it.
#
#   [KEEP=1] [BIN=.build/debug] Lab/demo.sh
#
# KEEP=1 leaves the lab up at the end. Prints a story for people; everything is measured in this run.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."
bin=$(realpath "${BIN:-.build/debug}") prefix=demo vm=web1 address=10.77.0.10
apus=$bin/apus peer=$bin/apus-lab-client
work=$(mktemp -d /tmp/apus-demo.XXXXXX)

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
finish() {
  status=$?
  rm -rf "$work"
  if [ "${KEEP:-}" = 1 ] && [ $status = 0 ]; then
    cat <<TEXT

The lab stays up. Try, for instance:
  export APUS_SOCKET=$APUS_SOCKET
  $apus vm list
  $apus vm migrate $vm --to n2 --plan
  $apus lab exec --prefix $prefix client -- ping -c 3 $address
End it with:
  $apus lab down --prefix $prefix
TEXT
  else
    timeout 60 "$apus" lab down --prefix $prefix >/dev/null || echo "The lab could not be ended: $apus lab down --prefix $prefix" >&2
  fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM

# How long the client talks to the machine around each migration, in seconds.
talk=10

# value FILE KEY: a number out of flat JSON; "-" when it is absent.
value() { grep -o "\"$2\" *: *[-0-9.]*" "$1" | head -1 | sed 's/.*: *//' | grep . || echo -; }
round() { if [ "$1" = - ]; then echo -; else printf '%.0f' "$1"; fi; }

say "1. A data centre: two nodes, a SAN with three disks, four networks, a client"
timeout 120 "$apus" lab up --prefix $prefix --nodes 2 --static
APUS_SOCKET=$("$apus" lab path --prefix $prefix n1); export APUS_SOCKET
"$apus" node list

say "2. A Cluster Shared Volume on the SAN, and a machine on it"
Lab/guest/image.sh "$work/guest.img" apus.journal=10
disk=$("$apus" disk list --json | grep -o '"id" *: *"[^"]*' | sed 's/.*"//' | sed -n 2p)
"$apus" disk init "$disk" --label csv1
cat >"$work/$vm.yaml" <<YAML
name: $vm
uuid: 6f1b6c6a-3a0e-4a55-9c1e-2f7d1c0e8a10
memory: 512 MiB
vcpus: 1
cpu: Nehalem
machine: pc-q35-7.2
firmware: bios
disks: [{ name: system, size: 64 MiB }]
networks: [{ name: lan, mac: "52:54:00:00:00:0a", bridge: br0 }]
YAML
"$apus" vm create "$work/$vm.yaml" --image "$work/guest.img"
"$apus" vm start $vm
printf 'It boots from the SAN '
for _ in $(seq 120); do
  timeout 5 "$apus" lab exec --prefix $prefix client -- "$peer" echo $address --seconds 1 >"$work/first.json" 2>/dev/null \
    && [ "$(value "$work/first.json" answers)" -gt 0 ] && break
  printf .; sleep 0.5
done
[ "$(value "$work/first.json" answers)" -gt 0 ] || { echo; echo "The machine does not answer." >&2; exit 1; }
echo " and answers the client at $address."

# move NAME ARGUMENTS...: one migration, with a TCP and a UDP conversation from before to after.
move() {
  name=$1; shift
  "$apus" lab exec --prefix $prefix client -- "$peer" echo $address --seconds $talk >"$work/$name-tcp.json" & tcp=$!
  "$apus" lab exec --prefix $prefix client -- "$peer" udp $address --seconds $talk >"$work/$name-udp.json" & udp=$!
  sleep 1.5
  timeout 120 "$apus" vm migrate $vm "$@"
  echo "The client goes on talking until $talk s are over."
  wait $tcp $udp
  "$apus" migration list --json >"$work/$name.json"
}

say "3. Quick migration to n2: paused, its active memory sent once, resumed"
move quick --to n2 --quick

say "4. What would a live migration cost?"
timeout 60 "$apus" vm migrate $vm --to n1 --plan

say "5. Live migration back to n1, while the client talks to it"
move live --to n1

say "6. Is its disk whole? Every record that the guest wrote is read back from the SAN"
"$apus" vm stop $vm
"$apus" vm show $vm --json >"$work/vm.json"
# The machine's disk begins at byteOffset of the LUN; the guest's journal 1 MiB into it, 16 MiB long (Lab/guest/image.sh).
start=$(value "$work/vm.json" byteOffset)
"$peer" journal "$("$apus" lab path --prefix $prefix --lun 2)" --offset $((start + 1048576)) --bytes 16777216 >"$work/journal.json" \
  && broken=no || broken=yes
cat "$work/journal.json"

row() { printf '%-34s %12s %12s\n' "$@"; }
say "What it cost"
row "" quick live
row "total" "$(round "$(value "$work/quick.json" totalMilliseconds)") ms" "$(round "$(value "$work/live.json" totalMilliseconds)") ms"
row "blackout: the guest was paused" "$(round "$(value "$work/quick.json" blackoutMilliseconds)") ms" "$(round "$(value "$work/live.json" blackoutMilliseconds)") ms"
row "longest silence, TCP client" "$(round "$(value "$work/quick-tcp.json" gapMaxMs)") ms" "$(round "$(value "$work/live-tcp.json" gapMaxMs)") ms"
row "longest silence, UDP client" "$(round "$(value "$work/quick-udp.json" gapMaxMs)") ms" "$(round "$(value "$work/live-udp.json" gapMaxMs)") ms"
row "datagrams sent" "$(value "$work/quick-udp.json" sent)" "$(value "$work/live-udp.json" sent)"
row "datagrams lost" "$(value "$work/quick-udp.json" lost)" "$(value "$work/live-udp.json" lost)"
row "frames handed over" "$(value "$work/quick.json" forwardedFrames)" "$(value "$work/live.json" forwardedFrames)"
row "memory sent" "$(($(value "$work/quick.json" transferredBytes) >> 20)) MiB" "$(($(value "$work/live.json" transferredBytes) >> 20)) MiB"
[ $broken = no ] || { echo "The disk journal is broken." >&2; exit 1; }
echo "disk journal: whole, one writer at a time"
