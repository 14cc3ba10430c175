import Foundation
import Testing

@testable import SwitchoverFrames

/// Goal: on real taps, the kernel does what the recorder and the injector count on. Needs root; fails, not skips, without it.
@Suite("Frames on real taps", .serialized, .timeLimit(.minutes(1)))
struct TapTests {
    @Test("What the guest must get is recorded: in order, each once, in time") func recorded() async throws {
        try await TapLab.with { lab in
            let tap = try lab.tap("source")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let arp: [UInt8] = [0x08, 0x06]
            // An IPv6 packet without content, from :: to ff02::1; a bridge may look into it and drop what is malformed.
            let ipv6 =
                allNodes + peer + [0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 59, 255] + [UInt8](repeating: 0, count: 16)
                + [0xff, 0x02] + [UInt8](repeating: 0, count: 13) + [1]
            let sent: [[UInt8]] = [
                frame(to: guest, number: 1), frame(to: broadcast, type: arp), ipv6, frame(to: [0x02, 0, 0, 0, 0, 7], number: 2),
                frame(to: guest, number: 4, length: 1_514), frame(to: broadcast, from: guest, number: 3),
            ]
            let before = currentMicroseconds()
            for frame in sent { try wire.send(frame) }
            let seen = tap.takeAll()
            #expect(seen.count == sent.count, "the bridge floods what it does not know, and the tap gets all of it")
            let answer = recorder.frames(from: before - 1_000_000, after: 0)
            // The one for another station and the guest's own echo are left out.
            #expect(answer.frames.map { Array($0.bytes.dropFirst(10)) } == [sent[0], sent[1], sent[2], sent[4]])
            #expect(answer.frames.map(\.sequence) == [1, 2, 3, 4])
            #expect(answer.frames.allSatisfy { (before...currentMicroseconds()).contains($0.microseconds) })
            #expect(answer.missed == 0)
            let next = recorder.frames(from: before - 1_000_000, after: answer.lastSequence)
            #expect(next.frames.isEmpty)
        }
    }

    enum Reader: CaseIterable {
        /// It takes everything at once, and then nothing comes for a while.
        case isQuick
        /// It was kept waiting: eight frames in the tap are much older than the stop.
        case isKeptWaiting
        /// It takes a frame while the machine is being stopped and one more afterwards.
        case takesTwoMore
    }

    @Test(
        "The guest has what was taken before the stop, the last two in doubt, and misses all else, however long it waited",
        arguments: Reader.allCases)
    func boundary(reader: Reader) async throws {
        try await TapLab.with { lab in
            let tap = try lab.tap("source")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            for number in UInt32(0)..<20 { try wire.send(frame(to: guest, number: number)) }
            let taken: UInt32 = reader == .isQuick ? 20 : 12
            for number in 0..<taken { #expect(tap.take().flatMap { SwitchoverFramesTests.number(of: $0) } == number) }
            let expected: [UInt32]
            let cut: Int64
            switch reader {
            case .isQuick, .isKeptWaiting:
                usleep(UInt32(Selection.doubt) + 20_000)
                cut = currentMicroseconds()
                expected = reader == .isQuick ? [] : Array(10..<20)
            case .takesTwoMore:
                try wire.send(frame(to: guest, number: 20))
                for _ in 0..<8 { _ = tap.take() }
                cut = currentMicroseconds()
                _ = tap.take()
                expected = [19, 20]
            }
            let answer = recorder.frames(from: cut, after: 0)
            #expect(answer.frames.compactMap { number(of: $0.bytes) } == expected)
            // What arrives later is the guest's, too.
            try wire.send(frame(to: guest, number: 99))
            usleep(20_000)
            let later = recorder.frames(from: cut, after: answer.lastSequence)
            #expect(later.frames.compactMap { number(of: $0.bytes) } == [99])
        }
    }

    @Test("VLAN tags survive: the kernel takes them out, the guest gets them back", arguments: [UInt16(5), 0x6fff])
    func vlan(control: UInt16) async throws {
        try await TapLab.with { lab in
            let old = try lab.tap("source")
            let new = try lab.tap("destination")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            let tag: [UInt8] = [0x81, 0x00, UInt8(control >> 8), UInt8(control & 0xff)]
            // Full length: the tag makes it longer than the MTU, which the tap must take.
            for (index, length) in [60, 1_514].enumerated() {
                var tagged = frame(to: guest, number: UInt32(index), length: length)
                tagged.insert(contentsOf: tag, at: 12)
                try wire.send(tagged)
            }
            let seen = old.takeAll()
            let recorded = recorder.frames(from: 0, after: 0).frames.map(\.bytes)
            #expect(recorded == seen.map { Array($0) }, "the guest sees the tag, so must the record")
            #expect(recorded.allSatisfy { Array($0[22..<26]) == tag })
            try injector.arm()
            #expect(try injector.inject(recorded) == InjectedFrames(written: 2))
            let delivered = new.takeAll().filter { number(of: $0, tagged: true) != nil }
            #expect(delivered == recorded)
        }
    }

    @Test("A TCP frame of many segments, its checksum still open, crosses in one piece", arguments: [false, true])
    func largeSegments(isTagged: Bool) async throws {
        try await TapLab.with { lab in
            let old = try lab.tap("source")
            let new = try lab.tap("destination")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            let payload = 20_000
            let total = UInt16(40 + payload)
            var ip: [UInt8] = [0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]
            var sum: UInt32 = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + UInt32(ip[$1]) << 8 + UInt32(ip[$1 + 1]) }
            sum = (sum & 0xffff) + (sum >> 16)
            ip.replaceSubrange(10..<12, with: [UInt8(~sum >> 8 & 0xff), UInt8(~sum & 0xff)])
            let tcp: [UInt8] = [0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
            var large = guest + peer + [0x08, 0x00] + ip + tcp + [UInt8](repeating: 7, count: payload)
            let shift: UInt8 = isTagged ? 4 : 0
            if isTagged { large.insert(contentsOf: [0x81, 0, 0, 9], at: 12) }
            // NEEDS_CSUM, GSO_TCPV4, header length, segment size 1448, checksum over what starts at TCP, at offset 16 in it.
            try wire.send(large, header: [1, 1, 54 + shift, 0, 0xa8, 0x05, 34 + shift, 0, 16, 0])
            let seen = old.takeAll()
            let recorded = recorder.frames(from: 0, after: 0).frames.map(\.bytes)
            #expect(recorded.count == 1)
            #expect(recorded.first?.count == 10 + large.count)
            try injector.arm()
            #expect(try injector.inject(recorded) == InjectedFrames(written: 1))
            let delivered = new.takeAll().filter { $0.count > 100 }
            // But for the length of the headers, bytes 2 and 3, a hint that the kernel fills in as its buffers happen to lie.
            func essence(_ frames: [[UInt8]]) -> [[UInt8]] { frames.map { Array($0[..<2]) + Array($0[4...]) } }
            #expect(essence(delivered) == essence(seen), "the guest must get on the new tap what it would have got on the old one")
            #expect(delivered.first.map { Array($0[10...]) } == large)
            #expect(delivered.first.map { Array($0[..<2]) } == [1, 1])
        }
    }

    @Test("What was too much is counted") func overflow() async throws {
        try await TapLab.with { lab in
            let tap = try lab.tap("source")
            let wire = try lab.outside()
            let recorder = try await lab.recorder(frameLimit: 10)
            let cut = currentMicroseconds()
            for number in UInt32(0)..<50 { try wire.send(frame(to: guest, number: number)) }
            #expect(tap.takeAll().count == 50)
            let answer = recorder.frames(from: cut, after: 0)
            #expect(answer.frames.compactMap { number(of: $0.bytes) } == Array(40..<50))
            #expect(answer.missed == 40)
        }
    }

    @Test("A paused QEMU loses one frame and no more: the tap keeps the rest for the guest") func armed() async throws {
        try await TapLab.with { lab in
            let new = try lab.tap("destination")
            let wire = try lab.outside()
            let injector = try lab.injector()
            // While the machine's memory is copied the tap is down and nothing gathers in it.
            for number in UInt32(0)..<100 { try wire.send(frame(to: broadcast, number: number)) }
            try injector.arm()
            try injector.arm()
            let lost = try #require(new.take())
            #expect(!EthernetFrame.concerns(guest, lost), "what is lost is for nobody")
            #expect(try injector.inject((200..<3_200).map { plainHeader + frame(to: guest, number: $0) }).written == 3_000)
            #expect(new.takeNumbers() == Array(200..<3_200))
        }
    }

    @Test("Broadcast and multicast come once, though both taps get them") func groupsOnce() async throws {
        try await TapLab.with { lab in
            let old = try lab.tap("source")
            let new = try lab.tap("destination")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            let cut = currentMicroseconds()
            // Before the new tap was up only the old one gets it; the same content comes again afterwards.
            try wire.send(frame(to: broadcast, number: 1))
            try wire.send(frame(to: allNodes, number: 2))
            try injector.arm()
            try wire.send(frame(to: broadcast, number: 1))
            try wire.send(frame(to: broadcast, number: 3))
            try wire.send(frame(to: allNodes, number: 4))
            usleep(20_000)
            let recorded = recorder.frames(from: cut, after: 0).frames.map(\.bytes)
            #expect(recorded.compactMap { number(of: $0) }.sorted() == [1, 1, 2, 3, 4])
            #expect(try injector.inject(recorded) == InjectedFrames(written: 2, alreadyHere: 3))
            #expect(new.takeNumbers().sorted() == [1, 1, 2, 3, 4])
            _ = old.takeAll()
        }
    }

    @Test("Frames that are not this guest's, or make no sense, are refused and the others delivered") func hostile() async throws {
        try await TapLab.with { lab in
            let new = try lab.tap("destination")
            let injector = try lab.injector()
            try injector.arm()
            let wildHeader: [UInt8] = [1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
            let frames: [[UInt8]] = [
                [], [0], plainHeader, plainHeader + frame(to: peer, from: guest), plainHeader + frame(to: guest, from: guest),
                wildHeader + frame(to: guest, number: 1), plainHeader + frame(to: guest, number: 2, length: 9_000),
                [UInt8](repeating: 0x52, count: 300_000), plainHeader + frame(to: guest, number: 3),
            ]
            #expect(try injector.inject(frames) == InjectedFrames(written: 1, refused: 8))
            #expect(new.takeNumbers() == [3])
        }
    }

    @Test("The guest's own frames are seen on both sides, QEMU's announcements are not taken for them") func ownFrames() async throws {
        try await TapLab.with { lab in
            let old = try lab.tap("source")
            let new = try lab.tap("destination")
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            try injector.arm()
            #expect(recorder.lastFrameFromGuest == nil)
            let rarp = frame(to: broadcast, from: guest, type: [0x80, 0x35])
            let before = currentMicroseconds()
            try old.send(frame(to: peer, from: guest))
            // The kernel takes the time in the background, some microseconds later.
            usleep(10_000)
            let between = currentMicroseconds()
            try old.send(rarp)
            usleep(10_000)
            let last = try #require(recorder.lastFrameFromGuest)
            #expect((before...between).contains(last))

            try new.send(rarp)
            usleep(10_000)
            #expect(injector.firstFrameFromGuest(after: 0) == nil)
            let first = currentMicroseconds()
            try new.send(frame(to: peer, from: guest, number: 1))
            usleep(10_000)
            let second = currentMicroseconds()
            try new.send(frame(to: peer, from: guest, number: 2))
            usleep(10_000)
            let found = try #require(injector.firstFrameFromGuest(after: first))
            #expect((first...second).contains(found))
            #expect(injector.firstFrameFromGuest(after: second).map { $0 >= second } == true)
            #expect(injector.firstFrameFromGuest(after: currentMicroseconds() + 1) == nil)
        }
    }

    @Test("A tap that disappears takes nothing with it that was recorded") func gone() async throws {
        try await TapLab.with { lab in
            var tap: Tap? = try lab.tap("source")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            let cut = currentMicroseconds()
            try wire.send(frame(to: guest, number: 1))
            _ = tap?.take()
            tap = nil
            try await lab.command("link", "del", "source")
            try await lab.command("link", "del", "destination")
            #expect(recorder.frames(from: cut, after: 0).frames.compactMap { number(of: $0.bytes) } == [1])
            recorder.stop()
            recorder.stop()
            #expect(recorder.frames(from: cut, after: 0).frames.count == 1)
            #expect(throws: FrameError.self) { try injector.arm() }
            #expect(throws: FrameError.self) { try injector.inject([plainHeader + frame(to: guest)]) }
            injector.stop()
            #expect(throws: FrameError.stopped(interface: "destination")) { try injector.inject([]) }
        }
    }

    @Test("An interface that is not there is named", arguments: ["apus-none", "", "a-name-longer-than-any-interface"])
    func noInterface(name: String) throws {
        let error = #expect(throws: FrameError.self) { try FrameRecorder(interface: name, mac: guest) }
        #expect(error?.description.contains("interface \(name):") == true)
    }

    /// Goal: a stream of numbered datagrams to a guest that moves while they flow arrives complete and in order.
    /// Method: two readers behave as QEMU does: the old one stops, having lost the two frames it took last; the new one loses the first.
    @Test("A numbered stream survives the switchover: nothing lost, and nothing repeated that was not in doubt", arguments: [0, 1, 2])
    func stream(lost: Int) async throws {
        try await TapLab.with { lab in
            let old = try lab.tap("source")
            let new = try lab.tap("destination")
            let wire = try lab.outside()
            let recorder = try await lab.recorder()
            let injector = try lab.injector()
            // The bridge learns where the guest is.
            try old.send(frame(to: peer, from: guest))
            let sender = Task.detached {
                for number in UInt32(0)..<600 {
                    try wire.send(frame(to: guest, number: number))
                    usleep(500)
                }
            }
            var received: [UInt32] = []
            while received.count < 200 { if let bytes = old.take(), let number = number(of: bytes) { received.append(number) } }
            // It is being stopped: one is taken and lost, the event is written, and one more is taken and lost.
            if lost == 2 { _ = old.take() }
            let cut = currentMicroseconds()
            if lost >= 1 { _ = old.take() }
            try injector.arm()
            _ = new.take()

            var sequence: UInt64 = 0
            let deadline = Date(timeIntervalSinceNow: 10)
            while (received.last ?? 0) < 599, Date() < deadline {
                let answer = recorder.frames(from: cut, after: sequence)
                sequence = answer.lastSequence
                #expect(answer.missed == 0)
                _ = try injector.inject(answer.frames.map(\.bytes))
                while let bytes = new.take(within: 1) { if let number = number(of: bytes) { received.append(number) } }
            }
            try await sender.value
            #expect(Array(received.dropFirst(200)) == received.dropFirst(200).sorted(), "in order, from what is repeated on")
            #expect(Set(received) == Set(0..<600))
            #expect(received.count == 602 - lost, "\(received.count - 600) repeated")
        }
    }
}
