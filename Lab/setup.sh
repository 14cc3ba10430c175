#!/bin/bash
# setup.sh [bench] - installs the Debian packages that building, testing and the lab need, and the system user that QEMU runs as.
# With `bench` also what the benchmarks compare with. Quick when there is nothing to do; safe to run again. Needs root, and a network
# when a package is missing.
set -euo pipefail

packages=(
  gcc libc6-dev libiscsi-dev libsqlite3-dev      # building, and the guest's programs
  qemu-system-x86 qemu-block-extra qemu-utils ovmf      # machines; block-extra has the iscsi driver
  corosync libcfg-dev libcmap-dev libcorosync-common-dev libcpg-dev libvotequorum-dev      # membership; its client libraries
  tgt iproute2 util-linux passwd                 # the lab's SAN, networks and namespaces
  busybox-static cpio                            # the guest
  syslinux syslinux-common syslinux-efi mtools dosfstools      # the guest's disk image
  gdisk openssl strace nftables faketime         # tests read what we write with other people's programs
)
case ${1:-} in
  '') ;;
  bench) packages+=(libvirt-daemon-system libvirt-clients etcd-server etcd-client) ;;
  *) echo "make setup: \"$1\" is not known; the only word is bench" >&2; exit 64 ;;
esac
die() { echo "make setup: $*" >&2; exit 1; }

missing=()
for p in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
# Post-copy: an unprivileged QEMU may use userfaultfd(2) only when this is set. Lost at a reboot; `make setup` sets it again.
faults=/proc/sys/vm/unprivileged_userfaultfd
[ "$(cat $faults 2>/dev/null)" != 0 ] || [ "$(id -u)" != 0 ] || echo 1 >$faults
user=1; getent passwd apus-qemu >/dev/null || user=0
# The guest's kernel is downloaded, not installed, so the package lists must be there too.
lists=1; apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || lists=0
[ ${#missing[@]} = 0 ] && [ $user = 1 ] && [ $lists = 1 ] && exit 0

[ "$(id -u)" = 0 ] || die "needs root to install ${missing[*]:-the user apus-qemu}; run \`sudo make setup\`"
command -v apt-get >/dev/null || die "this is no Debian system; install by other means: ${missing[*]}"

if [ ${#missing[@]} != 0 ] || [ $lists = 0 ]; then
  log=$(mktemp); trap 'rm -f "$log"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  install=(apt-get -qq install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}")
  # The lists may be old or absent: refresh them when they do not do.
  if [ $lists = 0 ] || { echo "make setup: installing ${missing[*]}"; ! "${install[@]}" >"$log" 2>&1; }; then
    timeout 300 apt-get -qq update >"$log" 2>&1 || die "cannot fetch Debian's package lists; is there a network? $(tail -3 "$log")"
    [ ${#missing[@]} = 0 ] || "${install[@]}" >"$log" 2>&1 || die "cannot install ${missing[*]}: $(tail -3 "$log")"
  fi
  # Debian starts Corosync with an example configuration, and at every boot; on a lab host each node has its own.
  if [[ " ${missing[*]} " == *" corosync "* ]]; then
    if [ -d /run/systemd/system ]; then systemctl -q disable --now corosync || die "cannot stop the host's own corosync"
    elif [ -x /etc/init.d/corosync ]; then timeout 30 /etc/init.d/corosync stop >"$log" 2>&1 || die "cannot stop the host's own corosync: $(tail -3 "$log")"; fi
  fi
  # And an etcd, which would take the place and the time of the lab's.
  if [[ " ${missing[*]} " == *" etcd-server "* ]]; then
    if [ -d /run/systemd/system ]; then systemctl -q disable --now etcd || die "cannot stop the host's own etcd"
    elif [ -x /etc/init.d/etcd ]; then timeout 30 /etc/init.d/etcd stop >"$log" 2>&1 || die "cannot stop the host's own etcd: $(tail -3 "$log")"; fi
  fi
  # Debian starts a tgtd of its own where there is systemd; the lab runs its own, and two must not share the default port.
  if [ -d /run/systemd/system ] && [[ " ${missing[*]} " == *" tgt "* ]]; then systemctl -q disable --now tgt || :; fi
fi
if [ $user = 0 ]; then
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
    --comment "Apus virtual machines" apus-qemu || die "cannot create the system user apus-qemu"
  echo "make setup: created the system user apus-qemu"
fi
