#!/bin/bash
# libvirt-node.sh - turns a bare node of the lab into a libvirt host and runs libvirtd until it is ended.
#
# Runs inside the node, which has its own network, mounts, host name and control group, so that nothing of this is seen outside and
# all of it, guests included, ends with the lab. What the host has configured for libvirt is hidden. Debian packages:
# libvirt-daemon-system libvirt-clients.
set -euo pipefail

for folder in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
  mount -t tmpfs -o mode=755 libvirt "$folder"
done
mkdir -p /run/libvirt

# Everything that could cost time and is not needed to move a machine is off: no TLS, no authentication, no relabelling, no
# control groups, no lock or log daemon. The comparison shall not be won by these.
cat >/etc/libvirt/libvirtd.conf <<CONF
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
CONF
cat >/etc/libvirt/qemu.conf <<CONF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
remember_owner = 0
stdio_handler = "file"
CONF
exec libvirtd --listen
