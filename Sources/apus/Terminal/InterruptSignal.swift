import Dispatch
import Foundation

/// Calls back at every SIGINT instead of ending the process, until it is stopped.
final class InterruptSignal {
    private let source: any DispatchSourceSignal

    /// Returns when every SIGINT from now on will be seen: Dispatch registers signals on a thread of its own, and one that came before that would
    /// be ignored.
    init(_ handler: @escaping @Sendable () -> Void) async {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler(handler: handler)
        await withCheckedContinuation { registered in
            source.setRegistrationHandler { registered.resume() }
            source.resume()
        }
        self.source = source
    }

    func stop() {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}
