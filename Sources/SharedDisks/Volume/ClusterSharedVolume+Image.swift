import ClusterModel
import Foundation
import SCSI

/// Why an image did not get into its extent.
public enum ImageError: Error, Hashable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case tooLarge(path: String, byteCount: UInt64, room: UInt64)
    case empty(path: String)
    case disk(SharedDiskError)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "The image \(path) cannot be read: \(reason)."
        case .tooLarge(let path, let count, let room):
            "The image \(path) has \(count) bytes and the disk \(room): make the disk larger."
        case .empty(let path): "The image \(path) is empty."
        case .disk(let error): error.description
        }
    }
}

extension ClusterSharedVolume {
    /// Writes a raw image to the start of an extent that was allocated just now.
    ///
    /// Zeros are skipped, because the extent has them already. The rest is durable when the function returns.
    /// - Parameter progress: Bytes of the image done so far, and how many it has.
    public func writeImage(
        _ path: String, to extent: Extent, progress: @Sendable (UInt64, UInt64) -> Void = { _, _ in }
    ) async throws(ImageError) {
        let file = try ImageFile(path: path)
        let total = file.byteCount
        guard total > 0 else { throw .empty(path: path) }
        guard total <= extent.byteCount else { throw .tooLarge(path: path, byteCount: total, room: extent.byteCount) }
        var done: UInt64 = 0
        while done < total {
            var chunk = try await file.read(at: done, count: Int(min(UInt64(disk.chunkByteCount), total - done)))
            done += UInt64(chunk.count)
            let start = extent.byteOffset + done - UInt64(chunk.count)
            let odd = chunk.count % disk.blockByteCount
            if odd > 0 { chunk += [UInt8](repeating: 0, count: disk.blockByteCount - odd) }
            do throws(SharedDiskError) {
                if !isAllZero(chunk) { try await disk.write(byteOffset: start, bytes: chunk, durable: false) }
            } catch { throw .disk(error) }
            progress(done, total)
        }
        do throws(SharedDiskError) { try await disk.synchronize() } catch { throw .disk(error) }
    }
}

/// Reads a file without holding a thread of Swift's pool while the kernel waits for a disk.
private final class ImageFile: Sendable {
    let path: String
    let byteCount: UInt64
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "apus.image")

    init(path: String) throws(ImageError) {
        self.path = path
        let opened = Foundation.open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw .unreadable(path: path, reason: Self.systemMessage()) }
        descriptor = opened
        let end = lseek(opened, 0, SEEK_END)
        byteCount = UInt64(clamping: end)
        // All stored properties are set, so deinit closes the file if this throws.
        guard end >= 0 else { throw .unreadable(path: path, reason: Self.systemMessage()) }
    }
    deinit { Foundation.close(descriptor) }

    /// Exactly `count` bytes; the file must not shrink meanwhile.
    func read(at offset: UInt64, count: Int) async throws(ImageError) -> [UInt8] {
        let result: Result<[UInt8], ImageError> = await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.readNow(at: offset, count: count)) }
        }
        return try result.get()
    }

    private func readNow(at offset: UInt64, count: Int) -> Result<[UInt8], ImageError> {
        var problem: ImageError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count, let start = buffer.baseAddress {
                let got = pread(descriptor, start + filled, count - filled, off_t(clamping: offset) + off_t(filled))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else {
                    problem = .unreadable(path: path, reason: got < 0 ? Self.systemMessage() : "it became shorter while it was read")
                    return
                }
                filled += got
            }
        }
        return problem.map { .failure($0) } ?? .success(bytes)
    }

    private static func systemMessage() -> String { String(cString: strerror(errno)) }
}
