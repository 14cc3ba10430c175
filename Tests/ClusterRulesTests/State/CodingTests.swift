import ClusterModel
import ClusterRules
import Foundation
import Testing

@Suite("Bytes of commands and of the state")
struct CodingTests {
    @Test("A newer format is refused with both numbers, whatever else it contains")
    func newer() throws {
        let bytes = [UInt8](#"{"version":7,"content":{"unheard":"of"}}"#.utf8)
        #expect(throws: ClusterCodingError.newer(noun: "entry of the log", found: 7, known: 1)) { try ClusterCoding.proposal(from: bytes) }
        #expect(throws: ClusterCodingError.newer(noun: "copy of the configuration", found: 7, known: 1)) {
            try ClusterCoding.state(from: bytes)
        }
    }

    @Test(
        "Anything else that is no configuration is refused",
        arguments: [
            "{", "[]", #"{"version":1}"#, #"{"version":0,"content":{}}"#, #"{"version":-9223372036854775808,"content":1}"#,
            #"{"version":1e300,"content":{}}"#, #"{"version":1,"content":{"time":1,"command":{"unheard":{}}}}"#,
            #"{"version":1,"content":{"time":1,"command":{"nodeUp":{"node":0}}}}"#,
            #"{"version":1,"content":{"time":1,"command":{"nodeUp":{"node":70000}}}}"#,
            #"{"version":1,"content":{"time":99999999999999999999,"command":{"nodeUp":{"node":1}}}}"#,
        ])
    func hostile(text: String) {
        #expect(throws: ClusterCodingError.self) { try ClusterCoding.proposal(from: [UInt8](text.utf8)) }
        #expect(throws: ClusterCodingError.self) { try ClusterCoding.state(from: [UInt8](text.utf8)) }
    }

    @Test("No byte of an entry that is lost or changed stops the program")
    func damaged() throws {
        let bytes = try ClusterCoding.bytes(
            of: CommandProposal(
                time: WallTime(milliseconds: 1),
                command: .createCluster(founding: StateFixture.founding(nodes: 2, witness: .disk(id: StateFixture.witnessDisk)))))
        for position in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: ClusterCodingError.self) { try ClusterCoding.proposal(from: Array(bytes.prefix(position))) }
            var changed = bytes
            changed[position] = 0xff
            #expect(throws: ClusterCodingError.self) { try ClusterCoding.proposal(from: changed) }
        }
    }

    @Test("The state comes back whole, and no bytes are the state before the first entry")
    func state() throws {
        let state = try StateFixture.cluster(nodes: 4)
        #expect(try ClusterCoding.state(from: try ClusterCoding.bytes(of: state)) == state)
        #expect(try ClusterCoding.state(from: []) == ClusterState())
    }

    /// The format of what is on disk. When this fails, old logs cannot be read any more: raise the version and read both.
    @Test("The bytes of a command are these")
    func captured() throws {
        let proposal = CommandProposal(
            time: WallTime(milliseconds: 1_700_000_000_123), requestedBy: "root on node1",
            command: .changeVotes(
                table: VoteTable(version: 3, nodes: [StateFixture.id(10): 1, StateFixture.id(2): 0], witness: 1), reason: "r"))
        let text = """
            {"content":{"command":{"changeVotes":{"reason":"r","table":{"nodes":{"10":1,"2":0},"version":3,"witness":1,"witnessID":0}}},\
            "requestedBy":"root on node1","time":1700000000123},"version":1}
            """
        #expect(String(decoding: try ClusterCoding.bytes(of: proposal), as: UTF8.self) == text)
        #expect(try ClusterCoding.proposal(from: [UInt8](text.utf8)) == proposal)
    }

    @Test("A private key does not show when the state is printed, interpolated or dumped")
    func secrets() throws {
        let state = try StateFixture.cluster(nodes: 1)
        var dumped = ""
        dump(state, to: &dumped)
        #expect(state.authority?.privateKeyPEM.exposed == "THE-KEY")
        for text in [dumped, "\(state)", String(reflecting: state), "\(state.authority as Any)"] { #expect(!text.contains("THE-KEY")) }
    }
}
