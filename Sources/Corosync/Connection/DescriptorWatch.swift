import Dispatch

/// Tells when a library's descriptor is readable, and gives the library's handle back when the watch ends.
final class DescriptorWatch: Sendable {
    /// Safe: sources may be used from any thread (dispatch_source_create(3)); the type is only not marked so.
    nonisolated(unsafe) private let source: any DispatchSourceRead

    /// - Parameters:
    ///   - onReadable: Called on the queue.
    ///   - onEnd: Called on the queue once, after the last `onReadable`. The descriptor may be closed only then.
    init(
        descriptor: Int32, queue: DispatchQueue, onReadable: @escaping @Sendable () -> Void, onEnd: @escaping @Sendable () -> Void
    ) {
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler(handler: onReadable)
        source.setCancelHandler(handler: onEnd)
        source.activate()
    }

    func end() { source.cancel() }
    deinit { source.cancel() }
}
