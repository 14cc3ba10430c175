/* frames: answers Ethernet frames of the experimental type 0x88B5 (IEEE 802) that come to this machine or to all, on every
 * interface: the request's bytes go back to its sender with the kind changed to "reply". Tagged frames come in, and are
 * answered, on the VLAN interface that init has made; that also tells QEMU's adapter to let this VLAN pass.
 *
 * Payload: "APUF", kind (1 request, 2 reply), three zero bytes, counter (8 bytes, big endian), time of the sender (8 bytes). */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { frame_type = 0x88b5, request = 1, reply = 2, header = 14, largest = 2048 };

int main(void) {
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(frame_type));
    if (s < 0) {
        perror("frames");
        return 1;
    }
    /* After a pause, all that was sent meanwhile comes at once; the usual room is for 277 of our frames. */
    int much = 4 << 20;
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &much, sizeof much);
    for (;;) {
        unsigned char frame[largest];
        struct sockaddr_ll from;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(s, frame, sizeof frame, 0, (struct sockaddr *)&from, &length);
        if (got < header + 24 || memcmp(frame + header, "APUF", 4) || frame[header + 4] != request) continue;
        /* Another machine's frames, and those of a VLAN without an interface, come as PACKET_OTHERHOST. */
        if (from.sll_pkttype != PACKET_HOST && from.sll_pkttype != PACKET_BROADCAST) continue;

        struct ifreq own = {0};
        if (!if_indextoname((unsigned)from.sll_ifindex, own.ifr_name) || ioctl(s, SIOCGIFHWADDR, &own) < 0) continue;
        memcpy(frame, frame + 6, 6);
        memcpy(frame + 6, own.ifr_hwaddr.sa_data, 6);
        frame[header + 4] = reply;
        if (sendto(s, frame, (size_t)got, 0, (struct sockaddr *)&from, sizeof from) < 0) perror("frames: send");
    }
}
