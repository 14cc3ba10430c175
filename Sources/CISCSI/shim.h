#pragma once
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

/* Macros that Swift does not see. */
static inline int ciscsi_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

/* POLLRDHUP of x86 and ARM (asm-generic/poll.h). The header hides it without _GNU_SOURCE, which would make fd_set differ from the one
   that Swift's own modules have. */
static const short ciscsi_peer_closed = 0x2000;

/* close() then drops what is still to be sent (socket(7), SO_LINGER). */
static inline int ciscsi_discard_on_close(int fd) {
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Two connected ends; neither blocks. */
static inline int ciscsi_socketpair(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends); }

/* Puts `other` in the place of `fd`, which lives on under the number that is returned; -1 when there is none. */
static inline int ciscsi_replace(int fd, int other) {
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (kept < 0 || (dup2(other, fd) >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)) return kept;
    close(kept);
    return -1;
}

/* How many bytes wait to be read; 0 when there is no such descriptor any more. */
static inline int ciscsi_unread(int fd) {
    int count = 0;
    return fd >= 0 && ioctl(fd, FIONREAD, &count) == 0 ? count : 0;
}
