import Foundation

/// Runs the `apus` that was built with these tests on a terminal of its own, and answers what it asks.
enum TerminalRun {
    /// What is typed once a text stands on the terminal, after what was there at the step before.
    struct Step: Sendable {
        var seen: String
        var typed: String
        init(_ seen: String, _ typed: String) { (self.seen, self.typed) = (seen, typed) }
    }

    /// - Returns: How it ended, -1 when it did not within a minute, and all that stood on the terminal, with line ends as programs write them.
    static func apus(
        _ arguments: [String], socket: String, columns: UInt16 = 80, _ steps: [Step]
    ) async -> (status: Int32, text: String, done: Int) {
        await withCheckedContinuation { continuation in
            Thread { continuation.resume(returning: run(arguments, socket, columns, steps)) }.start()
        }
    }

    private static func run(
        _ arguments: [String], _ socket: String, _ columns: UInt16, _ steps: [Step]
    ) -> (status: Int32, text: String, done: Int) {
        // What posix_openpt(3), unlockpt(3) and ptsname(3) do; Glibc's module shows none of them.
        let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        defer { close(terminal) }
        var (locked, number) = (CInt(0), CUnsignedInt(0))
        guard terminal >= 0, ioctl(terminal, UInt(0x4004_5431), &locked) == 0, ioctl(terminal, UInt(0x8004_5430), &number) == 0 else {
            return (-1, "There is no terminal: errno \(errno)", 0)
        }
        var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(terminal, UInt(TIOCSWINSZ), &size)
        let side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let process = Process()
        process.executableURL = URL(fileURLWithPath: URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/apus")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["APUS_SOCKET": socket, "TERM": "xterm", "DISPLAY": "", "WAYLAND_DISPLAY": ""]
        ) { $1 }
        let handle = FileHandle(fileDescriptor: side, closeOnDealloc: false)
        (process.standardInput, process.standardOutput, process.standardError) = (handle, handle, handle)
        do { try process.run() } catch {
            close(side)
            return (-1, "\(error)", 0)
        }
        // Only the program has it now, so that its end is the end of what can be read.
        close(side)
        var (bytes, from, done) = ([UInt8](), 0, 0)
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            if done < steps.count, let place = bytes[from...].firstRange(of: Array(steps[done].seen.utf8)) {
                from = place.upperBound
                let typed = Array(steps[done].typed.utf8)
                _ = typed.withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
                done += 1
                continue
            }
            var wait = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 200) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 4_096)
            let count = read(terminal, &buffer, buffer.count)
            // EIO: nobody holds the other side any more (pty(7)).
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        let isLate = ContinuousClock.now >= end
        if isLate { process.terminate() }
        process.waitUntilExit()
        let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
        return (isLate ? -1 : process.terminationStatus, text, done)
    }
}
