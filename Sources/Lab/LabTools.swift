import Foundation

/// The programs and scripts that a lab is made with.
public struct LabTools: Hashable, Sendable, Codable {
    /// The node service.
    public var apusd: String
    /// The prober, `apus-lab-client`.
    public var client: String
    /// The folder `Lab` of the sources, with the guest's scripts.
    public var scripts: String

    public init(apusd: String, client: String, scripts: String) {
        self.apusd = apusd
        self.client = client
        self.scripts = scripts
    }

    /// Finds them: programs beside the one that runs, scripts in `$APUS_LAB`, else in `Lab` of the nearest folder above the program
    /// or above the working directory.
    public static func find() throws(LabError) -> LabTools {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        let folder = (program as NSString).deletingLastPathComponent
        var starts = [folder, FileManager.default.currentDirectoryPath]
        if let named = ProcessInfo.processInfo.environment["APUS_LAB"] {
            guard Files.exists(named + "/guest/build.sh") else {
                throw .file(path: named, reason: "$APUS_LAB names this folder, but it holds no guest/build.sh")
            }
            return LabTools(apusd: folder + "/apusd", client: folder + "/apus-lab-client", scripts: named)
        }
        starts = starts.filter { $0.hasPrefix("/") }
        for start in starts {
            var above = start
            while above != "/" {
                if Files.exists(above + "/Lab/guest/build.sh") {
                    return LabTools(apusd: folder + "/apusd", client: folder + "/apus-lab-client", scripts: above + "/Lab")
                }
                above = (above as NSString).deletingLastPathComponent
            }
        }
        throw .file(path: folder, reason: "the lab's scripts are not above this folder; set APUS_LAB to the folder Lab of the sources")
    }
}

/// The guest that runs in the lab's machines, made from Debian's packages and kept in `/var/cache/apus-lab`.
public struct LabGuest: Hashable, Sendable {
    public var kernel: String
    public var initrd: String
    private var scripts: String

    /// Where `makeImage` leaves room for the journal, and where the guest writes it unless told otherwise.
    public static let journalOffset: UInt64 = 1 << 20
    public static let journalByteCount: UInt64 = 16 << 20

    /// Builds the guest unless that has been done. The first time takes some seconds and a network.
    public static func build(_ tools: LabTools) async throws(LabError) -> LabGuest {
        let output = try await Command.check([tools.scripts + "/guest/build.sh"], seconds: 400)
        let folder = output.trimmingCharacters(in: .whitespacesAndNewlines)
        return LabGuest(kernel: folder + "/vmlinuz", initrd: folder + "/initrd.gz", scripts: tools.scripts)
    }

    /// Writes a raw disk image that boots the guest from BIOS and from UEFI.
    ///
    /// - Parameter options: Words for the guest, for instance `apus.journal=10`, `apus.dirty=200:50`.
    public func makeImage(at path: String, sizeMiB: Int = 64, options: [String] = []) async throws(LabError) {
        try await Command.check([scripts + "/guest/image.sh", path, "--size", String(sizeMiB)] + options, seconds: 60)
    }

    /// The command line to boot the kernel with, when not from an image.
    public static func commandLine(options: [String] = []) -> String { (["console=ttyS0", "quiet"] + options).joined(separator: " ") }

    /// The addresses that the guest with this MAC address, 52:54:00:xx:hh:ll, takes: 10.77.hh.ll and fd77::hhll.
    ///
    /// - Returns: nil when the text is no such address, or when it leads to the client's or the network's own.
    public static func addresses(mac: String) -> (v4: String, v6: String)? {
        let pairs = mac.split(separator: ":", omittingEmptySubsequences: false)
        let bytes = pairs.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        // A sign would pass as a digit.
        guard pairs.count == 6, bytes.count == 6, mac.allSatisfy({ $0.isHexDigit || $0 == ":" }), Array(bytes[0..<3]) == [0x52, 0x54, 0x00]
        else { return nil }
        let v4 = "10.77.\(bytes[4]).\(bytes[5])"
        guard ![LabNetwork.clientAddress, "10.77.0.0", "10.77.255.255"].contains(v4) else { return nil }
        return (v4, "fd77::" + String(UInt16(bytes[4]) << 8 | UInt16(bytes[5]), radix: 16))
    }
}
