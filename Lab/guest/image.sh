#!/bin/bash
# image.sh OUT_IMAGE [--size MiB] [WORD...] - writes a raw disk image that boots the guest, from BIOS and from UEFI.
#
# WORDs are added to the kernel command line, for instance apus.journal=10 apus.dirty=200:50. --size is 64 or more (default 64).
#
#   0       master boot record, with the partition table
#   1 MiB   journal area, 16 MiB, zero (partition 2, type DA "non-FS data")
#   17 MiB  FAT file system to the end (partition 1, active): syslinux, EFI/BOOT, vmlinuz, initrd.gz, syslinux.cfg
#
# No loop device and no mount. Debian packages: syslinux syslinux-common syslinux-efi mtools dosfstools, and those of build.sh.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
die() { echo "Lab/guest/image.sh: $*" >&2; exit 1; }
[ $# -ge 1 ] || { sed -n 2,10p "$0"; exit 64; }
out=$1; shift
size=64 words=
while [ $# -gt 0 ]; do
  case $1 in
    --size) [[ ${2:-} =~ ^[0-9]{1,6}$ ]] || die "--size takes a number of MiB"; size=$((10#$2)); shift 2 ;;
    # A blank or line break would end the word, or the line of syslinux.cfg.
    *) [[ $1 =~ ^[[:graph:]]+$ ]] || die "\"$1\" is no word for a kernel command line"; words+=" $1"; shift ;;
  esac
done
[ ${#words} -le 1900 ] || die "the options are too long: the kernel's command line ends at 2048 bytes"
[ "$size" -ge 64 ] || die "--size must be at least 64"
for tool in syslinux mcopy mkfs.fat; do
  command -v $tool >/dev/null || die "$tool is missing; run \`make setup\`"
done
efi=/usr/lib/SYSLINUX.EFI/efi64/syslinux.efi ldlinux=/usr/lib/syslinux/modules/efi64/ldlinux.e64
[ -e $efi ] && [ -e $ldlinux ] || die "$efi is missing; run \`make setup\`"

guest=$("$here/build.sh")
tmp=$(mktemp -d "$(dirname "$out")/.image.XXXXXX"); trap 'rm -rf "$tmp"' EXIT
start=17 mib=2048      # MiB; sectors in a MiB
fat=$tmp/fat

# The hidden-sectors field tells the boot sector where its partition starts.
truncate -s $((size - start))M "$fat"
mkfs.fat -F 16 -s 4 -n APUSGUEST -i 41505553 -h $((start * mib)) "$fat" >/dev/null
cat >"$tmp/syslinux.cfg" <<CFG
DEFAULT guest
PROMPT 0
TIMEOUT 0
LABEL guest
  LINUX /vmlinuz
  INITRD /initrd.gz
  APPEND console=ttyS0 quiet$words
CFG
export MTOOLS_SKIP_CHECK=1
mmd -i "$fat" ::/EFI ::/EFI/BOOT
mcopy -i "$fat" "$guest/vmlinuz" "$guest/initrd.gz" "$tmp/syslinux.cfg" ::/
mcopy -i "$fat" $efi ::/EFI/BOOT/BOOTX64.EFI
mcopy -i "$fat" $ldlinux ::/EFI/BOOT/
syslinux --install "$fat"

image=$tmp/image
truncate -s "${size}M" "$image"
# Boot code, then the partition table's entries at 446: status, CHS start (unused), type, CHS end (unused), LBA start, sectors.
entry() {      # STATUS TYPE START_MIB MIB
  local s=$(($3 * mib)) n=$(($4 * mib)) i
  printf '%02x feffff %02x feffff' "$1" "$2"
  for i in 0 8 16 24; do printf ' %02x' $((s >> i & 255)); done
  for i in 0 8 16 24; do printf ' %02x' $((n >> i & 255)); done
}
hex=$(entry 128 14 $start $((size - start)); entry 0 218 1 16)
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$image" bs=440 count=1 conv=notrunc status=none
escaped=$(tr -d ' ' <<<"$hex" | sed 's/../\\x&/g')
printf '%b' "$escaped" | dd of="$image" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$image" bs=1 seek=510 conv=notrunc status=none
dd if="$fat" of="$image" bs=1M seek=$start conv=notrunc,sparse status=none
chmod 644 "$image"
mv "$image" "$out"
