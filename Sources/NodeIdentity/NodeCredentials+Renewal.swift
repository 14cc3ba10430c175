import FoundationEssentials
import Glibc
import SwiftASN1
import X509

extension NodeCredentials {
    /// Writes an identity that can be replaced as a whole: `folder` is a symbolic link to a folder beside it, so that a crash leaves the
    /// old certificates or the new ones, never a key without its certificate.
    ///
    /// - Throws: ``IdentityError/unwritable(path:reason:)``, also when `folder` is a real folder.
    public func writeReplaceable(to folder: String, machineGroup: UInt32?) throws(IdentityError) {
        let name = String(folder.split(separator: "/").last ?? "")
        let target = "\(name).\(try api.names().serial)"
        let place = folder.dropLast(name.count)
        try write(to: place + target, machineGroup: machineGroup)
        let link = folder + ".new"
        unlink(link)
        guard symlink(target, link) == 0, rename(link, folder) == 0 else {
            let reason = lastError()
            unlink(link)
            throw .unwritable(path: folder, reason: reason)
        }
        try SafeFile.syncFolder(of: folder)
        // What was used before. Left over after a crash, it goes at the next renewal.
        let others = ((try? FileManager.default.contentsOfDirectory(atPath: String(place))) ?? [])
            .filter { $0.hasPrefix(name + ".") && $0 != target }
        for other in others {
            do { try FileManager.default.removeItem(atPath: place + other) } catch {
                throw .unwritable(path: place + other, reason: "\(error)")
            }
        }
    }
}

extension NodeIdentity {
    /// Whether a third of its life, or less, is left: early enough that a cluster which is down for months still has good certificates.
    public func isDueForRenewal(now: Date) -> Bool {
        guard let certificate = try? Certificate(pemEncoded: certificatePEM) else { return true }
        let life = certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore)
        return expires.timeIntervalSince(now) <= life / 3
    }
}
