#pragma once
// packet(7) sockets on a guest's adapter. What is here needs C: filter programs, control messages, structures with unions.

#include <stddef.h>
#include <stdint.h>

// What the kernel says about a frame beside its bytes.
struct cpacket_info {
    int64_t microseconds;    // since 1970, when the frame passed the adapter (SO_TIMESTAMPNS)
    int towards_guest;       // PACKET_OUTGOING: the host's bridge sends it into the adapter
    uint32_t original_size;  // larger than what was received if the frame was cut
    int has_vlan;            // the kernel took an 802.1Q tag out of the bytes (PACKET_AUXDATA)
    uint16_t vlan_tci;
    uint16_t vlan_tpid;
};

// The size of the header before each frame: struct virtio_net_hdr, linux/virtio_net.h.
#define CPACKET_VNET_HEADER 10

// Opens a socket on an interface. Frames to the guest are received whole if they are for `mac` or for a group; of others, and of frames
// from the guest, only the first bytes. Returns a descriptor, or -errno.
int cpacket_open(const char *interface, const uint8_t mac[6], int receive_buffer_bytes);

// Takes one frame without waiting. Returns its size, header included; -EAGAIN when there is none; else -errno.
long cpacket_receive(int socket, void *buffer, size_t size, struct cpacket_info *info);

// Sends one frame, header included, into the adapter, towards the guest. Returns 0 or -errno.
int cpacket_send(int socket, const void *frame, size_t size);

// Frames that the kernel dropped since the last call, because nobody took them in time (PACKET_STATISTICS). -errno on failure.
long cpacket_dropped(int socket);

// An event that wakes a poll(2): a descriptor or -errno.
int cpacket_event(void);
