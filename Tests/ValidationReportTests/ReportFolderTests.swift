import ClusterModel
import Foundation
import Testing
import Validation

@testable import ValidationReport

@Suite("Report folder")
struct ReportFolderTests {
    /// A folder that is gone after the test.
    final class Place {
        let path = NSTemporaryDirectory() + "apus-reports-\(UUID().uuidString)"
        var folder: ReportFolder { ReportFolder(path + "/reports") }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test("A report is kept in three forms, listed newest first, and found by everything it is called")
    func keep() throws {
        let place = Place()
        #expect(try place.folder.list().isEmpty)
        #expect(throws: ReportFolderError.empty(place.folder.path)) { try place.folder.load("latest") }
        var older = try SampleRun.make(nodes: 2, faulty: true)
        older.began = WallTime(milliseconds: 1_700_000_000_000)
        let newer = try SampleRun.make(nodes: 3, faulty: false)
        let stored = try place.folder.save(newer)
        _ = try place.folder.save(older)
        let list = try place.folder.list()
        #expect(list.map(\.id) == [newer.id, older.id])
        #expect(list[0] == stored && list[0].sentence == "Suitable")
        for file in [stored.html, stored.json, stored.junit] {
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o640)
        }
        for name in ["latest", stored.name, newer.id.uuidString, stored.json] {
            #expect(try place.folder.load(name).run == newer, "\(name)")
        }
        #expect(try place.folder.load("latest").report == stored)
    }

    @Test("A name that means none or several is refused")
    func names() throws {
        let place = Place()
        _ = try place.folder.save(SampleRun.make(nodes: 2, faulty: false))
        var twin = try SampleRun.make(nodes: 2, faulty: false)
        twin.began = WallTime(milliseconds: 1_700_000_000_000)
        _ = try place.folder.save(twin)
        #expect(throws: ReportFolderError.unknown("ffff", place.folder.path)) { try place.folder.load("ffff") }
        #expect(throws: ReportFolderError.unknown("1a", place.folder.path)) { try place.folder.load("1a") }
        let error = #expect(throws: ReportFolderError.self) { try place.folder.load("1a2b") }
        guard case .ambiguous("1a2b", let names) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(names.count == 2)
        #expect(throws: ReportFolderError.self) { try place.folder.load("/nowhere/x.json") }
    }

    @Test("A damaged report is listed with its problem and hides no other; one that was never finished is not listed")
    func damaged() throws {
        let place = Place()
        let stored = try place.folder.save(SampleRun.make(nodes: 2, faulty: false))
        try "{".write(toFile: place.folder.path + "/validation-x.json", atomically: true, encoding: .utf8)
        try "half".write(toFile: place.folder.path + "/validation-y.html", atomically: true, encoding: .utf8)
        try FileManager.default.createDirectory(atPath: place.folder.path + "/validation-z.json", withIntermediateDirectories: true)
        let list = try place.folder.list()
        #expect(list.map(\.name) == [stored.name, "validation-z", "validation-x"])
        #expect(list.map { $0.problem == nil } == [true, false, false])
        #expect(try place.folder.load("latest").report == stored)
    }

    @Test("A folder that cannot be made is said")
    func noFolder() throws {
        let place = Place()
        try FileManager.default.createDirectory(atPath: place.path, withIntermediateDirectories: true)
        try "".write(toFile: place.path + "/reports", atomically: true, encoding: .utf8)
        #expect(throws: ReportFolderError.self) { try place.folder.save(SampleRun.make(nodes: 2, faulty: false)) }
    }

    @Test("A recent report stands for a validation of the same nodes, and of no others; a part of one never does")
    func recent() throws {
        let place = Place()
        let run = try SampleRun.make(nodes: 2, faulty: false)
        let now = WallTime(milliseconds: run.began.rawValue + 1_000)
        let found = { (nodes: [NodeName], age: Int64, isAsked: (ValidationTestID) -> Bool) in
            try place.folder.recent(for: nodes, now: now, maximumAge: age, asking: isAsked)?.run.id
        }
        #expect(try found(run.subject.nodes, 1_000, { _ in true }) == nil)
        var part = try SampleRun.make(nodes: 2, faulty: false, selection: ["network"])
        part.id = UUID()
        _ = try place.folder.save(part)
        #expect(try found(run.subject.nodes, 1_000, { _ in true }) == nil)
        // Whole, as far as these nodes could be asked.
        #expect(try found(run.subject.nodes, 1_000, { $0.category == .network }) == part.id)
        _ = try place.folder.save(run)
        #expect(try found(run.subject.nodes.reversed(), 1_000, { _ in true }) == run.id)
        #expect(try found(run.subject.nodes, 999, { _ in true }) == nil)
        #expect(try found(run.subject.nodes + [NodeName(unchecked: "node9")], 1_000, { _ in true }) == nil)
        #expect(try found(Array(run.subject.nodes.prefix(1)), 1_000, { _ in true }) == nil)
        try "{".write(toFile: place.folder.path + "/validation-x.json", atomically: true, encoding: .utf8)
        #expect(try found(run.subject.nodes, 1_000, { _ in true }) == run.id)
    }

    @Test("A report speaks for exactly its nodes, for a while, and only when it is whole")
    func covers() throws {
        let place = Place()
        let run = try SampleRun.make(nodes: 2, faulty: false)
        let report = try place.folder.save(run)
        let day: Int64 = 86_400_000
        let at = { (offset: Int64) in WallTime(milliseconds: run.began.rawValue + offset) }
        #expect(report.covers(run.subject.nodes.reversed(), now: at(day), maximumAge: day))
        #expect(!report.covers(run.subject.nodes, now: at(day + 1), maximumAge: day))
        #expect(!report.covers(run.subject.nodes, now: at(-1), maximumAge: day))
        #expect(!report.covers(run.subject.nodes.dropLast(), now: at(1), maximumAge: day))
        #expect(!report.covers(run.subject.nodes, now: WallTime(milliseconds: .min), maximumAge: .min))
        let part = try place.folder.save(SampleRun.make(nodes: 2, faulty: false, selection: ["network"]))
        #expect(!part.covers(run.subject.nodes, now: at(1), maximumAge: day))
    }
}
