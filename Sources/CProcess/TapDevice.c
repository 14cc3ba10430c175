#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// Frames that a tap holds for its reader: what a recorder keeps at a switchover, and what the bridge brings until the machine is resumed.
#define QUEUE_LENGTH 8192

// One rtnetlink(7) request that is built here and answered with an acknowledgement.
struct request {
    struct nlmsghdr header;
    struct ifinfomsg link;
    char attributes[256];
};

static struct rtattr *add(struct request *request, unsigned short type, const void *value, size_t length) {
    struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length) memcpy(RTA_DATA(attribute), value, length);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void end_nest(struct request *request, struct rtattr *nest) {
    nest->rta_len = (unsigned short)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len) - (char *)nest);
}

static struct request begin(unsigned short type, unsigned index) {
    struct request request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg));
    request.header.nlmsg_type = type;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.link.ifi_family = AF_UNSPEC;
    request.link.ifi_index = (int)index;
    return request;
}

// 0, or the errno the kernel answers with.
static int ask(struct request *request) {
    int channel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (channel < 0) return errno;
    // The kernel answers before send returns; the limit only keeps a surprise from becoming a hang.
    struct timeval limit = {.tv_sec = 5};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } answer;
    int error = 0;
    ssize_t count;
    if (setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        sendto(channel, request, request->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
        error = errno;
    } else {
        do count = recv(channel, &answer, sizeof answer, 0);
        while (count < 0 && errno == EINTR);
        if (count < 0) {
            error = errno == EAGAIN ? ETIMEDOUT : errno;
        } else if ((size_t)count < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_type != NLMSG_ERROR) {
            error = EPROTO;
        } else {
            error = -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
        }
    }
    close(channel);
    return error;
}

static int bridge_mtu(const char *bridge, uint32_t *mtu) {
    int channel = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (channel < 0) return errno;
    struct ifreq question;
    memset(&question, 0, sizeof question);
    strncpy(question.ifr_name, bridge, IFNAMSIZ - 1);
    int error = ioctl(channel, SIOCGIFMTU, &question) < 0 ? errno : 0;
    *mtu = (uint32_t)question.ifr_mtu;
    close(channel);
    return error;
}

static int create(const char *name, uid_t owner, const char **step) {
    *step = "opening /dev/net/tun";
    int device = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (device < 0) return errno;
    struct ifreq question;
    memset(&question, 0, sizeof question);
    strncpy(question.ifr_name, name, IFNAMSIZ - 1);
    // QEMU attaches with exactly these flags (vnet_hdr=on); a device that was made with others would be refused.
    question.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    int error = 0;
    *step = "creating the tap";
    if (ioctl(device, TUNSETIFF, &question) < 0) error = errno;
    *step = error ? *step : "giving the tap to the machine user";
    if (!error && ioctl(device, TUNSETOWNER, (unsigned long)owner) < 0) error = errno;
    *step = error ? *step : "making the tap persistent";
    if (!error && ioctl(device, TUNSETPERSIST, 1UL) < 0) error = errno;
    close(device);
    return error;
}

static int plug(unsigned index, uint32_t bridge_index) {
    struct request request = begin(RTM_SETLINK, index);
    add(&request, IFLA_MASTER, &bridge_index, sizeof bridge_index);
    return ask(&request);
}

int cprocess_link_plug(const char *name, const char *bridge) {
    unsigned index = if_nametoindex(name), bridge_index = if_nametoindex(bridge);
    return index && bridge_index ? plug(index, bridge_index) : errno;
}

int cprocess_tap_create(const char *name, uid_t owner, const char *bridge, const uint8_t mac[6], int plugged, const char **step) {
    *step = "finding the bridge";
    unsigned bridge_index = if_nametoindex(bridge);
    if (!bridge_index) return errno;
    uint32_t mtu = 0;
    int error = bridge_mtu(bridge, &mtu);
    if (error) return error;
    if ((error = create(name, owner, step))) return error;

    *step = "finding the new tap";
    unsigned index = if_nametoindex(name);
    if (!index) return errno;
    *step = "setting address, MTU and queue length";
    struct request request = begin(RTM_SETLINK, index);
    add(&request, IFLA_ADDRESS, mac, 6);
    add(&request, IFLA_MTU, &mtu, sizeof mtu);
    // Now or never: the kernel stops a device's queue to give it another length, and what is sent to it meanwhile is lost.
    uint32_t queue_length = QUEUE_LENGTH;
    add(&request, IFLA_TXQLEN, &queue_length, sizeof queue_length);
    error = ask(&request);
    if (error) return error;
    *step = "plugging the tap into the bridge";
    if (plugged && (error = plug(index, bridge_index))) return error;

    // The host must not speak on the guest's cable: without this it would claim a link-local address there. Where the kernel has
    // no IPv6 it cannot, and refuses the attribute.
    uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
    request = begin(RTM_SETLINK, index);
    struct rtattr *families = add(&request, IFLA_AF_SPEC, NULL, 0);
    struct rtattr *family = add(&request, AF_INET6, NULL, 0);
    add(&request, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    end_nest(&request, family);
    end_nest(&request, families);
    (void)ask(&request);

    // Before QEMU attaches: the carrier that comes with it is then acted on at once. The other way round the kernel's link watch, which
    // works once a second, decides when a bridge forwards to the port.
    *step = "setting the tap up";
    request = begin(RTM_SETLINK, index);
    request.link.ifi_flags = IFF_UP;
    request.link.ifi_change = IFF_UP;
    return ask(&request);
}

int cprocess_link_delete(const char *name) {
    unsigned index = if_nametoindex(name);
    if (!index) return errno;
    struct request request = begin(RTM_DELLINK, index);
    return ask(&request);
}
