import ClusterModel
import Foundation
import Testing
import Validation

@testable import ValidationReport

@Suite("HTML report")
struct HTMLReportTests {
    @Test("Well-formed for any number of nodes", arguments: [1, 2, 3, 8], [false, true])
    func wellFormed(nodes: Int, faulty: Bool) throws {
        guard nodes > 1 || !faulty else { return }
        let run = try SampleRun.make(nodes: nodes, faulty: faulty)
        let text = HTMLReport.text(of: run)
        // Where a person who works on the page finds it.
        if let folder = ProcessInfo.processInfo.environment["APUS_SAMPLE_REPORTS"] {
            try text.write(toFile: "\(folder)/report-\(nodes)\(faulty ? "-faulty" : "").html", atomically: true, encoding: .utf8)
        }
    }
}
