import ClusterModel

/// What a member sees in its file system instead of the host's.
enum NodeMounts {
    /// `/sys` shows the interfaces of the mount's own network namespace, and `/run` is empty as after a boot: sockets of other
    /// members and of the host are out of sight.
    static let common = """
        root=$1
        mount -t sysfs sysfs /sys
        mount -t tmpfs -o mode=755 apus-lab "$root"
        mkdir "$root/run"
        hostname "$2"
        """

    /// A node has its own `/etc/apus`, `/var/lib/apus`, `/run/apus`, its own folders of Corosync, its own `/dev/shm`, and device nodes that an unprivileged QEMU may
    /// open, as udev gives to members of a group on a real host. Where the host has no `/etc/apus`, an overlay makes room for it, so that
    /// nothing stays on the host.
    static let node = """
        etc=$3 state=$4 run=$5 hosts=$6 corosync=$7
        room() {
          [ -d "$1/apus" ] && return
          mkdir "$root/$2" "$root/$2.work"
          mount -t overlay -o "lowerdir=$1,upperdir=$root/$2,workdir=$root/$2.work" overlay "$1"
          mkdir "$1/apus"
        }
        room /etc etc
        mount --bind "$etc" /etc/apus
        room /var/lib state
        mount --bind "$state" /var/lib/apus
        mount --bind "$hosts" /etc/hosts
        # Its paths are built in (corosync(8)); its pid file lies in /run, its sockets belong to the network namespace.
        if [ -d /etc/corosync ]; then
          mount --bind "$corosync/etc" /etc/corosync
          mount --bind "$corosync/lib" /var/lib/corosync
          mount --bind "$corosync/log" /var/log/corosync
        fi

        mkdir "$root/dev"
        device() {
          mknod -m 666 "$root/dev/$2" c 10 "$3"
          mount --bind "$root/dev/$2" "$1"
        }
        if [ ! -e /dev/net/tun ]; then echo "there is no /dev/net/tun; load the module tun" >&2; exit 1; fi
        device /dev/net/tun tun 200
        if [ -e /dev/kvm ]; then device /dev/kvm kvm 232; fi
        # Corosyncs that are killed leave memory there, which is to end with the node.
        mkdir -m 1777 "$root/shm"
        mount --bind "$root/shm" /dev/shm

        mkdir "$root/run/apus" "$root/run/lock"
        mount --bind "$run" "$root/run/apus"
        """

    /// Last, because it hides the lab's own folder.
    static let end = """
        mount --rbind "$root/run" /run
        """

    static func mount(_ keeper: Keeper, in folder: LabFolder) async throws(LabError) {
        let member = keeper.member
        try Files.makeFolder(folder.mountPoint(member))
        let common = [folder.mountPoint(member), member.name]
        switch member {
        case .node(let name):
            try await keeper.script(
                [self.common, node, end].joined(separator: "\n"),
                common + [folder.etc(name), folder.state(name), folder.run(name), folder.hosts, folder.corosync(name)])
        case .san, .client, .switches:
            try await keeper.script([self.common, end].joined(separator: "\n"), common)
        }
    }
}
