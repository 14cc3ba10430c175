// Packet sockets (packet(7)), for SwitchoverFrames only: on a guest's tap, and for ARP on any interface.
//
// C because Swift has neither the CMSG macros nor BPF's; every decision is made in Swift.
// Functions answer a value of 0 or more, or -errno.
#ifndef CPACKETSOCKET_H
#define CPACKETSOCKET_H

#include <stddef.h>
#include <stdint.h>

// What the socket's kernel filter lets through.
enum cpacket_filter {
    // Whole: frames handed to the guest that are meant for it (its address, broadcast, multicast, not sent by itself).
    // Headers only: its own frames, and all others handed to it, which only count.
    CPACKET_TO_GUEST = 0,
    // Whole: broadcast and multicast handed to the guest and not sent by itself. Headers only: its own frames.
    CPACKET_GROUPS_TO_GUEST = 1,
};

// Length of the virtio_net_hdr that precedes every frame received and sent.
enum { CPACKET_VNET_HEADER = 10 };

struct cpacket_frame {
    int64_t nanoseconds;   // CLOCK_REALTIME when the kernel handled it; 0 when it did not say
    uint32_t length;       // bytes in the buffer, virtio_net_hdr included
    uint16_t vlan_tci;     // valid when has_vlan
    uint16_t vlan_tpid;
    uint8_t has_vlan;      // the kernel took the tag out of the frame
    uint8_t to_guest;      // 1: handed to the tap, 0: came from the guest
    uint8_t truncated;     // the frame was longer than the buffer
};

struct cpacket_counters {
    uint64_t taken;    // frames the reader of the tap has taken: the interface's tx_packets
    uint64_t dropped;  // frames the tap had no room for: tx_dropped
};

// A non-blocking packet socket on `interface`. `*index` receives the interface's index. Needs CAP_NET_RAW.
int cpacket_open(const char *interface, const uint8_t guest[6], enum cpacket_filter filter, int *index);

// The next frame waiting in the socket. -EAGAIN when there is none.
int cpacket_receive(int socket, void *buffer, size_t capacity, struct cpacket_frame *frame);

// Hands a frame, virtio_net_hdr first, to the tap.
int cpacket_send(int socket, const void *bytes, size_t length);

// A packet socket that receives ARP frames which come in through `interface`, bound to it, so that send(2) and recv(2) do. `promiscuous`:
// also frames for others. `own` receives the interface's Ethernet address. -EPROTOTYPE when it is no Ethernet.
int cpacket_open_arp(const char *interface, int promiscuous, uint8_t own[6]);

// Frames the socket had no room for since the last call.
int cpacket_overflow(int socket, uint32_t *frames);

// A socket for cpacket_counters, bound to the network namespace of the calling thread.
int cpacket_open_counters(void);
int cpacket_read_counters(int socket, int index, struct cpacket_counters *counters);

// Sets the interface up. Needs CAP_NET_ADMIN.
int cpacket_set_up(int socket, const char *interface);

// A descriptor that poll(2) finds readable once cpacket_signal was called.
int cpacket_open_event(void);
int cpacket_signal(int event);

#endif
