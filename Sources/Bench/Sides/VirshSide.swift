import Foundation
import Lab

/// `virsh migrate --live` between two libvirtd in a lab like ours, with the guest's disk on the SAN. Without TLS, which is how
/// libvirt moves memory unless told otherwise.
struct VirshSide: Side {
    static let prefix = "bvirsh"
    let name: String
    private let lab: Lab
    private let guest: LabGuest
    private let daemons: [RunningCommand]

    /// Builds a lab of bare nodes and starts libvirtd on each. Returns when both have found out what their QEMU can do, which
    /// libvirt does only once.
    static func up(_ tools: LabTools) async throws -> VirshSide {
        let script = (tools.scripts as NSString).deletingLastPathComponent + "/Bench/libvirt-node.sh"
        guard access(script, X_OK) == 0 else { throw BenchError("\(script) is missing; it belongs to the sources.") }
        guard access("/usr/bin/virsh", X_OK) == 0, access("/usr/sbin/libvirtd", X_OK) == 0 else {
            throw BenchError("virsh and libvirtd are missing; `make bench` installs them.")
        }
        let guest = try await LabGuest.build(tools)
        let lab = try await LabBuilder(LabDescription(prefix: prefix), tools: tools, nodes: .bare).up()
        let daemons = try lab.nodes.map { try $0.start([script], seconds: 7_200) }
        for node in lab.nodes { try await waitForLibvirt(node) }
        try await defineSecret(lab)
        let version = try await lab.node("n1").exec(["virsh", "--version"]).output.trimmingCharacters(in: .whitespacesAndNewlines)
        return VirshSide(name: "virsh \(version)", lab: lab, guest: guest, daemons: daemons)
    }

    private static func waitForLibvirt(_ node: LabNode) async throws {
        let end = ContinuousClock.now + .seconds(60)
        var said = ""
        while ContinuousClock.now < end {
            let result = try await node.exec(["virsh", "-q", "domcapabilities", "--machine", "q35", "--virttype", "qemu"], seconds: 20)
            if result.isSuccess { return }
            said = result.errors
            try await Task.sleep(for: .milliseconds(300))
        }
        throw BenchError("libvirtd on \(node.name) did not answer within 60 s: \(said)")
    }

    /// The SAN's password, which libvirt wants to be told apart from the machine.
    private static func defineSecret(_ lab: Lab) async throws {
        let usage = "<secret ephemeral='yes'><usage type='iscsi'><target>san</target></usage></secret>"
        for node in lab.nodes {
            let (definition, value) = (node.runtimeFolder + "/secret.xml", node.runtimeFolder + "/secret")
            try usage.write(toFile: definition, atomically: true, encoding: .utf8)
            guard
                FileManager.default.createFile(
                    atPath: value, contents: Data(lab.sanCredentials.secret.utf8), attributes: [.posixPermissions: 0o600])
            else { throw BenchError("\(value) cannot be written.") }
            try await virsh(node, ["secret-define", "/run/apus/secret.xml"])
            let uuid = try await virsh(node, ["secret-list"]).split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
            try await virsh(node, ["secret-set-value", uuid, "--file", "/run/apus/secret", "--plain"])
        }
    }

    /// Runs virsh on a node and insists on success.
    @discardableResult
    private static func virsh(_ node: LabNode, _ words: [String], seconds: Int = 30) async throws -> String {
        let result = try await node.exec(["virsh", "-q"] + words, seconds: seconds)
        guard result.isSuccess else {
            throw BenchError("virsh \(words.joined(separator: " ")) on \(node.name) failed with code \(result.code): \(result.errors)")
        }
        return result.output
    }

    func boot(_ shape: GuestShape) async throws {
        let node = try lab.node("n1")
        try domain(shape).write(toFile: node.runtimeFolder + "/\(GuestShape.name).xml", atomically: true, encoding: .utf8)
        let console = node.runtimeFolder + "/serial.log"
        try? FileManager.default.removeItem(atPath: console)
        try await Self.virsh(node, ["create", "/run/apus/\(GuestShape.name).xml"])
        try await waitForConsole(console, toSay: shape.readySign)
    }

    func move() async throws -> Move {
        let destination = try lab.node("n2")
        let address = destination.address(on: .migration) ?? ""
        let start = ContinuousClock.now
        try await Self.virsh(
            lab.node("n1"),
            ["migrate", "--live", GuestShape.name, "qemu+tcp://n2/system", "--migrateuri", "tcp://\(address)"], seconds: 120)
        let took = ContinuousClock.now - start
        return Move(seconds: took / .seconds(1))
    }

    func remove() async throws {
        for node in lab.nodes {
            // It is on one of them.
            _ = try await node.exec(["virsh", "-q", "destroy", GuestShape.name], seconds: 30)
        }
    }

    func startTraffic() async throws -> Traffic { try Traffic(from: lab) }

    /// The machine that Apus would build of the same shape, in libvirt's words. `cache='none'`, because libvirt refuses to move a
    /// machine with a cached disk.
    private func domain(_ shape: GuestShape) -> String {
        let portal = LabNetwork.sanAddress
        return """
            <domain type='qemu'>
              <name>\(GuestShape.name)</name>
              <memory unit='MiB'>\(shape.memoryMiB)</memory>
              <vcpu>1</vcpu>
              <os>
                <type arch='x86_64' machine='\(GuestShape.machineType)'>hvm</type>
                <kernel>\(guest.kernel)</kernel>
                <initrd>\(guest.initrd)</initrd>
                <cmdline>\(LabGuest.commandLine(options: shape.options))</cmdline>
              </os>
              <features><acpi/><tcg><tb-cache unit='MiB'>256</tb-cache></tcg></features>
              <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>\(GuestShape.cpuModel)</model></cpu>
              <devices>
                <emulator>/usr/bin/qemu-system-x86_64</emulator>
                <disk type='network' device='disk'>
                  <driver name='qemu' type='raw' cache='none'/>
                  <auth username='\(lab.sanCredentials.user)'><secret type='iscsi' usage='san'/></auth>
                  <source protocol='iscsi' name='\(lab.sanTarget)/2'>
                    <host name='\(portal)' port='3260'/>
                    <initiator><iqn name='iqn.2025-01.io.apus.lab:n1'/></initiator>
                  </source>
                  <target dev='vda' bus='virtio'/>
                </disk>
                <interface type='bridge'>
                  <mac address='\(GuestShape.mac)'/>
                  <source bridge='br0'/>
                  <model type='virtio'/>
                  <rom enabled='no'/>
                </interface>
                <serial type='file'><source path='/run/apus/serial.log'/></serial>
                <rng model='virtio'><backend model='builtin'/></rng>
                <memballoon model='none'/>
                <controller type='usb' model='none'/>
              </devices>
            </domain>
            """
    }
}
