import Validation

/// How the samples of several distributions are spread, one line each on a common scale: dark where many are, a long tick at the median,
/// a short one at the 99th percentile. The numbers stand beside it, so readers of screens lose nothing.
struct SpreadChart {
    private static let width = 240.0
    private static let height = 20.0
    let scale: LogarithmicScale
    let unit: FigureUnit

    init(_ distributions: [Distribution], _ unit: FigureUnit) {
        scale = LogarithmicScale(distributions.flatMap { [$0.minimum, $0.maximum] })
        self.unit = unit
    }

    func line(_ distribution: Distribution) -> Markup {
        let most = distribution.buckets.map { Double($0.count) }.max() ?? 1
        var start = x(distribution.minimum)
        var marks: [Markup] = []
        for bucket in distribution.buckets {
            let end = x(bucket.limit)
            defer { start = end }
            guard bucket.count > 0, most > 0, end > start else { continue }
            let share = min(max(Double(bucket.count) / most, 0), 1)
            marks.append(
                .tag(
                    "rect",
                    ["x": point(start), "y": "5", "width": point(end - start), "height": "10", "opacity": point(0.15 + share * 0.6)]))
        }
        return .tag(
            "svg",
            ["class": "chart", "viewBox": "0 0 240 20", "preserveAspectRatio": "none", "fill": "currentColor", "aria-hidden": "true"]
        ) {
            grid
            marks
            tick(distribution.median, from: 1, to: 19, width: 2.5)
            tick(distribution.p99, from: 4, to: 16, width: 1.5)
        }
    }

    /// The decades, for the head of the column.
    var axis: Markup {
        .tag("svg", ["class": "axis", "viewBox": "0 0 240 16", "fill": "currentColor", "aria-hidden": "true"]) {
            // More than four numbers would touch each other.
            for (index, mark) in scale.marks.enumerated() where scale.marks.count <= 4 || (scale.marks.count - 1 - index) % 2 == 0 {
                let anchor = index == 0 ? "start" : index == scale.marks.count - 1 ? "end" : "middle"
                Markup.tag("text", ["x": point(x(mark)), "y": "12", "text-anchor": anchor]) { FigureText.text(mark, unit) }
            }
        }
    }

    private var grid: [Markup] {
        scale.marks.map { mark in
            .tag("rect", ["x": point(min(x(mark), Self.width - 1)), "y": "0", "width": "1", "height": "20", "opacity": "0.18"])
        }
    }

    private func tick(_ value: Double, from top: Double, to bottom: Double, width: Double) -> Markup {
        let left = min(max(x(value) - width / 2, 0), Self.width - width)
        return .tag("rect", ["x": point(left), "y": point(top), "width": point(width), "height": point(bottom - top)])
    }

    private func x(_ value: Double) -> Double { scale.position(value) * Self.width }
    private func point(_ value: Double) -> String { String((value * 100).rounded() / 100) }
}
