#define _GNU_SOURCE
#include "CPacketSocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Enough to see that the guest sent something.
#define GUEST_SNAP 32
// Flooded frames for other machines: they are counted, because QEMU reads them too.
#define OTHERS_SNAP 14
#define WHOLE 0x40000

static int attach_filter(int fd, const uint8_t mac[6]) {
    uint32_t high = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
    uint32_t low = (uint32_t)mac[4] << 8 | mac[5];
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, GUEST_SNAP),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 4, 0),  // the group bit, IEEE 802 8.2.2
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, WHOLE),
        BPF_STMT(BPF_RET | BPF_K, OTHERS_SNAP),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int cpacket_open(const char *interface, const uint8_t mac[6], int receive_buffer_bytes) {
    unsigned index = if_nametoindex(interface);
    if (!index) return -errno;
    // Protocol 0: nothing is received before the filter is in place and the socket is bound.
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int one = 1;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes) || attach_filter(fd, mac) ||
        bind(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

long cpacket_receive(int socket, void *buffer, size_t size, struct cpacket_info *info) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata)) + 64];
    } control;
    struct sockaddr_ll from;
    struct iovec part = {buffer, size};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = sizeof control};
    memset(info, 0, sizeof *info);
    ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT);
    if (count < 0) return -errno;
    info->towards_guest = from.sll_pkttype == PACKET_OUTGOING;
    info->original_size = (uint32_t)count;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS && c->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
            struct timespec time;
            memcpy(&time, CMSG_DATA(c), sizeof time);
            info->microseconds = (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
        } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA && c->cmsg_len >= CMSG_LEN(sizeof(struct tpacket_auxdata))) {
            struct tpacket_auxdata data;
            memcpy(&data, CMSG_DATA(c), sizeof data);
            info->original_size = data.tp_len + CPACKET_VNET_HEADER;
            if (data.tp_status & TP_STATUS_VLAN_VALID) {
                info->has_vlan = 1;
                info->vlan_tci = data.tp_vlan_tci;
                info->vlan_tpid = data.tp_status & TP_STATUS_VLAN_TPID_VALID ? data.tp_vlan_tpid : ETH_P_8021Q;
            }
        }
    }
    return count;
}

int cpacket_send(int socket, const void *frame, size_t size) { return send(socket, frame, size, 0) < 0 ? -errno : 0; }

long cpacket_dropped(int socket) {
    struct tpacket_stats stats;
    socklen_t size = sizeof stats;
    if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &stats, &size)) return -errno;
    return (long)stats.tp_drops;
}

int cpacket_event(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}
