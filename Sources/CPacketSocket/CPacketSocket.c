#define _GNU_SOURCE
#include "CPacketSocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif

// Bytes kept of a frame that only counts: enough for both addresses and the type.
#define HEADERS_ONLY 14
#define WHOLE 0x40000
// Room for the kernel to queue while the reader sleeps: 100 ms of a 1 Gbit/s link. Only used when frames arrive.
#define RECEIVE_BUFFER (32 << 20)

static int fail_and_close(int socket) {
    int reason = errno;
    close(socket);
    return -reason;
}

static int attach_filter(int socket, const uint8_t guest[6], enum cpacket_filter kind) {
    const uint32_t first4 = (uint32_t)guest[0] << 24 | guest[1] << 16 | guest[2] << 8 | guest[3];
    const uint32_t last2 = (uint32_t)guest[4] << 8 | guest[5];
    const uint32_t other = kind == CPACKET_TO_GUEST ? HEADERS_ONLY : 0;
    const uint32_t unicast = kind == CPACKET_TO_GUEST ? WHOLE : 0;
    struct sock_filter code[] = {
        // The guest's own frames come in through the tap; they are wanted for their time alone.
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, HEADERS_ONLY),
        // A frame with the guest's address as source is an echo of itself from its new place: it must never get that back,
        // IPv6 would take it for a duplicate address.
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first4, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 10),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, last2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, other),
        // Group bit: broadcast and multicast.
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, WHOLE),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first4, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, last2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, unicast),
        BPF_STMT(BPF_RET | BPF_K, other),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int set_option(int socket, int level, int option, int value) {
    return setsockopt(socket, level, option, &value, sizeof value);
}

int cpacket_open(const char *interface, const uint8_t guest[6], enum cpacket_filter filter, int *index) {
    // Protocol 0: nothing is received before the filter is there and the socket is bound.
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    struct ifreq request = {0};
    if (strlen(interface) >= sizeof request.ifr_name) {
        close(fd);
        return -ENODEV;
    }
    strcpy(request.ifr_name, interface);
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) return fail_and_close(fd);
    *index = request.ifr_ifindex;

    if (attach_filter(fd, guest, filter) < 0 || set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1) < 0 ||
        set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1) < 0 || set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) < 0)
        return fail_and_close(fd);
    // FORCE goes beyond net.core.rmem_max and needs CAP_NET_ADMIN; without it the system's limit has to do.
    if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0 &&
        set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER) < 0)
        return fail_and_close(fd);

    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = request.ifr_ifindex};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail_and_close(fd);
    return fd;
}

int cpacket_open_arp(const char *interface, int promiscuous, uint8_t own[6]) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    struct ifreq request = {0};
    if (strlen(interface) >= sizeof request.ifr_name) {
        close(fd);
        return -ENODEV;
    }
    strcpy(request.ifr_name, interface);
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0) return fail_and_close(fd);
    // The answers below overwrite the index, which shares its memory with them.
    const int index = request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) return fail_and_close(fd);
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        close(fd);
        return -EPROTOTYPE;
    }
    memcpy(own, request.ifr_hwaddr.sa_data, 6);
    if (promiscuous) {
        struct packet_mreq membership = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
        if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0) return fail_and_close(fd);
    }
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = index};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return fail_and_close(fd);
    return fd;
}

int cpacket_receive(int socket, void *buffer, size_t capacity, struct cpacket_frame *frame) {
    struct sockaddr_ll from = {0};
    struct iovec part = {.iov_base = buffer, .iov_len = capacity};
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata)) + 64];
    } control;
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
        .msg_controllen = sizeof control};
    ssize_t length = recvmsg(socket, &message, MSG_DONTWAIT);
    if (length < 0) return -errno;

    memset(frame, 0, sizeof *frame);
    frame->length = (uint32_t)length;
    frame->to_guest = from.sll_pkttype == PACKET_OUTGOING;
    frame->truncated = (message.msg_flags & MSG_TRUNC) != 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec time;
            memcpy(&time, CMSG_DATA(item), sizeof time);
            frame->nanoseconds = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
        } else if (item->cmsg_level == SOL_PACKET && item->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata data;
            memcpy(&data, CMSG_DATA(item), sizeof data);
            if (data.tp_status & TP_STATUS_VLAN_VALID) {
                frame->has_vlan = 1;
                frame->vlan_tci = data.tp_vlan_tci;
                frame->vlan_tpid = data.tp_status & TP_STATUS_VLAN_TPID_VALID ? data.tp_vlan_tpid : ETH_P_8021Q;
            }
        }
    }
    return 0;
}

int cpacket_send(int socket, const void *bytes, size_t length) {
    ssize_t sent = send(socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return -errno;
    return (size_t)sent == length ? 0 : -EIO;
}

int cpacket_overflow(int socket, uint32_t *frames) {
    struct tpacket_stats statistics = {0};
    socklen_t length = sizeof statistics;
    if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0) return -errno;
    *frames = statistics.tp_drops;
    return 0;
}

int cpacket_open_counters(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? -errno : fd;
}

int cpacket_read_counters(int socket, int index, struct cpacket_counters *counters) {
    static const uint32_t sequence = 1;
    struct {
        struct nlmsghdr header;
        struct if_stats_msg body;
    } request = {
        .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETSTATS, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = sequence},
        .body = {.family = AF_UNSPEC, .ifindex = (uint32_t)index, .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)}};
    if (send(socket, &request, sizeof request, 0) < 0) return -errno;

    // The kernel answers a request for one interface before send returns; the poll guards against a surprise.
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    int count = poll(&ready, 1, 100);
    if (count <= 0) return count == 0 ? -ETIMEDOUT : -errno;
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } reply;
    ssize_t length = recv(socket, &reply, sizeof reply, MSG_DONTWAIT);
    if (length < 0) return -errno;
    if (!NLMSG_OK(&reply.header, (uint32_t)length)) return -EBADMSG;
    if (reply.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&reply.header);
        return error->error < 0 ? error->error : -EBADMSG;
    }
    if (reply.header.nlmsg_type != RTM_NEWSTATS || reply.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct if_stats_msg)))
        return -EBADMSG;
    int left = (int)reply.header.nlmsg_len - (int)NLMSG_LENGTH(sizeof(struct if_stats_msg));
    const char *start = (const char *)NLMSG_DATA(&reply.header) + NLMSG_ALIGN(sizeof(struct if_stats_msg));
    for (const struct rtattr *item = (const struct rtattr *)start; RTA_OK(item, left); item = RTA_NEXT(item, left)) {
        if (item->rta_type != IFLA_STATS_LINK_64 || RTA_PAYLOAD(item) < sizeof(struct rtnl_link_stats64)) continue;
        struct rtnl_link_stats64 statistics;
        memcpy(&statistics, RTA_DATA(item), sizeof statistics);
        counters->taken = statistics.tx_packets;
        counters->dropped = statistics.tx_dropped;
        return 0;
    }
    return -EBADMSG;
}

static int named(struct ifreq *request, const char *interface) {
    memset(request, 0, sizeof *request);
    if (strlen(interface) >= sizeof request->ifr_name) return -ENODEV;
    strcpy(request->ifr_name, interface);
    return 0;
}

int cpacket_set_up(int socket, const char *interface) {
    struct ifreq request;
    if (named(&request, interface) < 0) return -ENODEV;
    if (ioctl(socket, SIOCGIFFLAGS, &request) < 0) return -errno;
    if (request.ifr_flags & IFF_UP) return 0;
    request.ifr_flags |= IFF_UP;
    return ioctl(socket, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int cpacket_open_event(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int cpacket_signal(int event) { return eventfd_write(event, 1) < 0 ? -errno : 0; }
