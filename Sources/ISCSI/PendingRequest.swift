import CISCSI
import Foundation
import SCSI

/// A request that the session's thread has taken up. Belongs to that thread.
///
/// It outlives its answer: when a limit passes or the caller's task is cancelled the caller goes on, but libiscsi still has the buffer.
/// The loop keeps this object until libiscsi has called back or its context is gone.
final class PendingRequest {
    let request: SessionRequest
    unowned let loop: SessionLoop
    /// Given to libiscsi; what the target does with it can no longer be prevented.
    var isSent = false
    /// Commands with a lower number reached the wire earlier.
    var order: UInt64 = 0
    private var isAnswered = false
    private var task: UnsafeMutablePointer<scsi_task>?
    private var buffer: UnsafeMutableRawBufferPointer?

    init(_ request: SessionRequest, loop: SessionLoop) {
        self.request = request
        self.loop = loop
    }
    deinit {
        if let task { scsi_free_scsi_task(task) }
        buffer?.deallocate()
    }

    /// Resumes the caller; later answers are dropped.
    func answer(_ answer: Answer) {
        guard !isAnswered else { return }
        isAnswered = true
        request.continuation.resume(returning: answer)
    }

    var isOpen: Bool { !isAnswered }

    func fail(_ cause: SCSITransportError.Cause, _ reason: String) {
        let target = request.lun.description + " of " + loop.mailbox.targetName
        let text =
            isSent
            ? "\(request.name) was sent to \(target), but its outcome is unknown: \(reason)."
            : loop.mailbox.notSent(request, because: reason)
        answer(.failure(SCSITransportError(cause: cause, outcome: isSent ? .unknown : .notSent, description: text)))
    }

    // MARK: Commands

    /// Hands the command to libiscsi. False when libiscsi did not take it.
    func send(_ command: SCSICommand, context: OpaquePointer) -> Bool {
        var block = command.descriptorBlock
        let direction: scsi_xfer_dir
        let count: Int
        switch command.transfer {
        case .none: (direction, count) = (SCSI_XFER_NONE, 0)
        case .fromDevice(let byteCount): (direction, count) = (SCSI_XFER_READ, byteCount)
        case .toDevice(let data): (direction, count) = (SCSI_XFER_WRITE, data.count)
        }
        guard let length = Int32(exactly: count),
            let task = scsi_create_task(Int32(block.count), &block, Int32(direction.rawValue), length)
        else { return false }
        self.task = task
        if count > 0 {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
            self.buffer = buffer
            if case .toDevice(let data) = command.transfer {
                buffer.copyBytes(from: data)
            } else {
                // A target that sends less than it says must not make us hand out what was in this memory before.
                if let start = buffer.baseAddress { memset(start, 0, count) }
                guard scsi_task_add_data_in_buffer(task, length, bytes(of: buffer)) == 0 else { return false }
            }
        }
        var outgoing = iscsi_data(size: count, data: buffer.flatMap(bytes(of:)))
        let me = Unmanaged.passUnretained(self).toOpaque()
        let result =
            if direction == SCSI_XFER_WRITE, count > 0 {
                // The struct is copied by the call, the bytes that it points to are not: they are this object's.
                iscsi_scsi_command_async(context, Int32(request.lun.rawValue), task, commandCallback, &outgoing, me)
            } else {
                iscsi_scsi_command_async(context, Int32(request.lun.rawValue), task, commandCallback, nil, me)
            }
        isSent = result == 0
        return isSent
    }

    private func bytes(of buffer: UnsafeMutableRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }

    /// libiscsi is done with the buffer.
    func commandAnswered(status: Int32) {
        defer { loop.finished(self) }
        guard let task, let code = UInt8(exactly: status) else {
            loop.noticed(status: status)
            // A rejected PDU, a status that libiscsi does not know, or the end of the connection.
            let lost = loop.loss
            return fail(lost == nil ? .refused : .transportLost, lost ?? loop.lastError)
        }
        loop.heard()
        var reply = SCSIReply(status: SCSIStatus(code: code))
        if reply.status == .checkCondition {
            reply.sense = sense(of: task.pointee)
        } else if case .command(let command) = request.work, case .fromDevice(let asked) = command.transfer, let buffer {
            let missing = task.pointee.residual_status == SCSI_RESIDUAL_UNDERFLOW ? min(Int(clamping: task.pointee.residual), asked) : 0
            reply.data = [UInt8](UnsafeRawBufferPointer(rebasing: buffer[..<(asked - missing)]))
        }
        answer(.success(reply))
    }

    /// RFC 7143 section 11.4.7.2: two bytes of length, then the sense data.
    private func sense(of task: scsi_task) -> SCSISense? {
        guard let data = task.datain.data, task.datain.size > 2 else { return nil }
        return try? SCSISense(parsing: [UInt8](UnsafeBufferPointer(start: data + 2, count: Int(task.datain.size) - 2)))
    }

    // MARK: Reset

    func sendReset(context: OpaquePointer) -> Bool {
        // Not iscsi_task_mgmt_lun_reset_async: that cancels the requests of every logical unit before it asks the target.
        let result = iscsi_task_mgmt_async(
            context, Int32(request.lun.rawValue), ISCSI_TM_LUN_RESET, 0xffff_ffff, 0, resetCallback,
            Unmanaged.passUnretained(self).toOpaque())
        isSent = result == 0
        return isSent
    }

    func resetAnswered(status: Int32, response: UInt32?) {
        defer { loop.finished(self) }
        guard status == SCSI_STATUS_GOOD.rawValue, let response else {
            loop.noticed(status: status)
            let lost = loop.loss
            return fail(lost == nil ? .refused : .transportLost, lost ?? loop.lastError)
        }
        loop.heard()
        guard response == ISCSI_TMR_FUNC_COMPLETE.rawValue else {
            return fail(.refused, "the target refused it with response \(response) (RFC 7143 section 11.6.1)")
        }
        loop.resetCompleted(self)
        answer(.success(SCSIReply(status: .good)))
    }
}

private func commandCallback(_: OpaquePointer?, status: Int32, _: UnsafeMutableRawPointer?, me: UnsafeMutableRawPointer?) {
    guard let me else { return }
    // The loop retains the request until this callback or the end of the context.
    Unmanaged<PendingRequest>.fromOpaque(me).takeUnretainedValue().commandAnswered(status: status)
}

private func resetCallback(_: OpaquePointer?, status: Int32, data: UnsafeMutableRawPointer?, me: UnsafeMutableRawPointer?) {
    guard let me else { return }
    Unmanaged<PendingRequest>.fromOpaque(me).takeUnretainedValue()
        .resetAnswered(status: status, response: data?.loadUnaligned(as: UInt32.self))
}
