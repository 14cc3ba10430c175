import Foundation
import Testing

@testable import Corosync

struct PureTests {
    @Test("Errors name the call, the code and what to do")
    func errors() {
        let lost = CorosyncError.refused(call: "cpg_dispatch", .library)
        #expect(lost.description.contains("cpg_dispatch failed with CS_ERR_LIBRARY. Corosync is not running or was restarted"))
        #expect(lost.endsConnection)
        let denied = CorosyncError.refused(call: "cpg_model_initialize", .access)
        #expect(denied.description.contains("as root") && denied.description.contains("uidgid.d"))
        #expect(!denied.endsConnection && !CorosyncCode.access.mayConnectLater)
        #expect(CorosyncCode(rawValue: 77).description == "cs_error_t 77")
        #expect(RingID(representative: 3, sequence: 26).description == "3.1a")
    }

    @Test("Events come in order; one too many ends the sequence after those that waited")
    func events() async {
        let outlet = EventOutlet<Int>(limits: EventLimits(count: 3, byteCount: 100))
        for number in 1...3 { outlet.deliver(number) }
        #expect(outlet.failure == nil)
        var reader = outlet.events.makeAsyncIterator()
        #expect(await reader.next() == 1)
        outlet.deliver(4)
        #expect(outlet.failure == nil)
        outlet.deliver(5)
        #expect(outlet.failure == .readerTooSlow(waitingEvents: 3))
        // After the gap nothing may follow as if there were none.
        #expect(await reader.next() == 2)
        outlet.deliver(6)
        outlet.finish(-1)
        #expect(await [reader.next(), reader.next(), reader.next(), reader.next()] == [3, 4, -1, nil])
    }

    @Test("Bytes that wait are limited too")
    func eventBytes() async {
        let outlet = EventOutlet<Int>(limits: EventLimits(count: 100, byteCount: 100))
        outlet.deliver(1, byteCount: 60)
        var reader = outlet.events.makeAsyncIterator()
        #expect(await reader.next() == 1)
        outlet.deliver(2, byteCount: 100)
        #expect(outlet.failure == nil)
        outlet.deliver(3, byteCount: 1)
        #expect(outlet.failure == .readerTooSlow(waitingEvents: 1))
    }

    @Test("A call that does not return keeps its caller no longer than the deadline, and cancellation ends the wait at once")
    func deadline() async throws {
        let began = ContinuousClock.now
        await #expect(throws: CorosyncError.noAnswer(call: "hang", after: .milliseconds(100))) {
            try await withDeadline("hang", .milliseconds(100)) { _ throws(CorosyncError) in
                // Stands for a call that blocks and knows no cancellation.
                await withCheckedContinuation { (later: CheckedContinuation<Void, Never>) in
                    Task.detached {
                        try? await Task.sleep(for: .seconds(2))
                        later.resume()
                    }
                }
            }
        }
        #expect(ContinuousClock.now - began < .seconds(1))
        let task = Task {
            try await withDeadline("wait", .seconds(30)) { _ throws(CorosyncError) in
                do { try await Task.sleep(for: .seconds(30)) } catch { throw .cancelled(call: "inner") }
            }
        }
        task.cancel()
        await #expect(throws: CorosyncError.self) { try await task.value }
        #expect(ContinuousClock.now - began < .seconds(2))
    }

    /// Its sockets are abstract, and listed for the network namespace of whoever asks.
    static let hostHasCorosync = (try? String(contentsOfFile: "/proc/net/unix", encoding: .utf8))?.contains("@votequorum") == true

    @Test("Without Corosync connecting ends at the deadline and says so", .disabled(if: hostHasCorosync, "This host runs Corosync."))
    func notConnected() async {
        let error = await #expect(throws: CorosyncError.self) { try await Votequorum.connect(within: .milliseconds(300)) }
        guard case .notConnected(_, .library) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("Names and messages that Corosync could not carry are refused before")
    func limits() async {
        for name in ["", String(repeating: "x", count: 128), "a\0b"] {
            await #expect(throws: CorosyncError.invalidName(name)) { try await ProcessGroup.join(name) }
        }
    }
}
