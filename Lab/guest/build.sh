#!/bin/bash
# build.sh [OUT] - builds the lab's guest from Debian's packages: vmlinuz (cloud kernel) and initrd.gz (busybox and our programs).
#
# Prints the folder that holds them, /var/cache/apus-lab/guest-KERNEL-HASH, where HASH covers the sources beside this script, so
# an unchanged guest is never built twice. With OUT the two files are copied there as well. Debian packages: busybox-static cpio
# gcc libc6-dev; the kernel is fetched with apt-get download, not installed.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=${APUS_LAB_CACHE:-/var/cache/apus-lab}

die() { echo "Lab/guest/build.sh: $*" >&2; exit 1; }
for tool in busybox cpio gcc apt-get dpkg-deb; do
  command -v $tool >/dev/null || die "$tool is missing; run \`make setup\`"
done

mkdir -p "$cache"
exec 9>"$cache/.lock"; flock 9        # two labs may start at once

hash=$(cd "$here" && cat build.sh init ./*.h ./*.c /bin/busybox | sha256sum | cut -c 1-12)
# Debian's kernel package has the version in its name; the metapackage says which is current. A guest that was built before
# is good enough when the package lists are not there.
package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
if [ -n "$package" ]; then
  kernel=${package#linux-image-}
  guest=$cache/guest-$kernel-$hash
else
  guest=$(ls -d "$cache"/guest-*-"$hash" 2>/dev/null | tail -1)
  [ -n "$guest" ] || die "apt knows no linux-image-cloud-amd64; run \`apt-get update\` with a network"
fi

if [ ! -d "$guest" ]; then
  tmp=$(mktemp -d "$cache/.build.XXXXXX"); trap 'rm -rf "$tmp"' EXIT
  modules=$cache/kernel-$kernel-$(sha256sum <"$here/build.sh" | cut -c 1-8)
  if [ ! -d "$modules" ]; then
    mkdir "$tmp/package"; chmod 755 "$tmp"; chmod 777 "$tmp/package"      # apt downloads as the user _apt
    (cd "$tmp/package" && timeout 300 apt-get -qq download "$package" >log 2>&1) \
      || die "cannot download $package; if Debian has a newer one by now, run \`apt-get update\`: $(tail -2 "$tmp/package/log")"
    dpkg-deb -x "$tmp/package"/linux-image-*.deb "$tmp/kernel"
    mkdir "$tmp/modules"
    install -m 0644 "$tmp"/kernel/boot/vmlinuz-* "$tmp/modules/vmlinuz"
    # In load order. llc to 8021q are for VLANs, evdev and button for the power button.
    for m in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net virtio_blk \
      llc stp mrp garp 8021q evdev button; do
      file=$(find "$tmp/kernel/lib/modules" -name "$m.ko")
      [ -n "$file" ] || die "$package has no module $m"
      install -m 0644 "$file" "$tmp/modules/"; echo $m >>"$tmp/modules/order"
    done
    mv -T "$tmp/modules" "$modules"
  fi

  mkdir -p "$tmp"/root/{bin,apus,lib/modules,proc,sys,dev} "$tmp/guest"
  cp /bin/busybox "$tmp/root/bin/"
  cp "$modules"/*.ko "$modules/order" "$tmp/root/lib/modules/"
  install -m 0755 "$here/init" "$tmp/root/init"
  for program in "$here"/*.c; do
    gcc -O2 -Wall -Wextra -Werror -static -s -o "$tmp/root/apus/$(basename "$program" .c)" "$program"
  done
  (cd "$tmp/root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet | gzip -9n) >"$tmp/guest/initrd.gz"
  install -m 0644 "$modules/vmlinuz" "$tmp/guest/vmlinuz"
  chmod 755 "$tmp/guest"
  mv -T "$tmp/guest" "$guest"
fi

if [ $# -ge 1 ]; then
  mkdir -p "$1"; install -m 0644 "$guest/vmlinuz" "$guest/initrd.gz" "$1/"
fi
echo "$guest"
