/* frames INTERFACE: answers Ethernet frames of the experimental type 0x88B5 (IEEE 802), untagged or VLAN-tagged, sent to this
 * machine or to all: the request's bytes go back to its sender with the kind changed to "reply".
 *
 * Payload: "APUF", kind (1 request, 2 reply), three zero bytes, counter (8 bytes, big endian), time of the sender (8 bytes). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { frame_type = 0x88b5, request = 1, reply = 2, header = 14, tag = 4, largest = 2048 };

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: frames INTERFACE\n");
        return 64;
    }
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(frame_type)), on = 1;
    struct ifreq interface = {0};
    strncpy(interface.ifr_name, argv[1], IFNAMSIZ - 1);
    if (s < 0 || ioctl(s, SIOCGIFHWADDR, &interface) < 0) {
        perror("frames");
        return 1;
    }
    unsigned char own[6];
    memcpy(own, interface.ifr_hwaddr.sa_data, 6);
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(frame_type), .sll_ifindex = (int)if_nametoindex(argv[1])};
    /* The kernel takes the VLAN tag out of the frame and hands it over beside it. */
    if (bind(s, (struct sockaddr *)&address, sizeof address) < 0 || setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0) {
        perror("frames");
        return 1;
    }
    for (;;) {
        unsigned char in[largest], out[largest + tag];
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        } control;
        struct iovec data = {in, sizeof in};
        struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(s, &message, 0);
        if (got < header + 24 || memcmp(in + header, "APUF", 4) || in[header + 4] != request) continue;
        if (!(in[0] & 1) && memcmp(in, own, 6)) continue;

        size_t at = 12;
        memcpy(out, in + 6, 6);
        memcpy(out + 6, own, 6);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
            struct tpacket_auxdata about;
            if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
            memcpy(&about, CMSG_DATA(c), sizeof about);
            if (!(about.tp_status & TP_STATUS_VLAN_VALID)) continue;
            uint16_t words[2] = {htons(ETHERTYPE_VLAN), htons(about.tp_vlan_tci)};
            memcpy(out + at, words, tag);
            at += tag;
        }
        memcpy(out + at, in + 12, (size_t)got - 12);
        out[at + 2 + 4] = reply;
        if (send(s, out, at + (size_t)got - 12, 0) < 0) perror("frames: send");
    }
}
