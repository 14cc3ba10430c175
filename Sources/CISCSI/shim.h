#pragma once
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
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
