/* The journal's record, 512 bytes, integers big endian. Docs/lab.md describes it; `apus-lab-client journal` reads it.
 *
 *   0  8  magic "APUSJRNL"
 *   8  4  version, 1
 *  12  4  CRC-32 (IEEE 802.3) of the record with this field zero
 *  16 16  boot id: random, one per start of the writer
 *  32  8  sequence, from 1, rising by one over all boots
 *  40  8  monotonic clock of the guest in nanoseconds
 *  48  8  first sequence of this boot
 *  56  4  CRC-32 of the record with the sequence before (0 for the first): the chain. Two copies of one machine that both
 *         write disagree about it, even when they have the same boot id and the same sequence.
 *  60  .. zero
 *
 * Sequence s lies at OFFSET + (s mod N) * 512, where N = BYTES / 512. */
#ifndef APUS_JOURNAL_H
#define APUS_JOURNAL_H
#include <stdint.h>
#include <string.h>

enum { record_bytes = 512, record_version = 1 };

static inline void put32(unsigned char *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}
static inline void put64(unsigned char *p, uint64_t v) {
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> (56 - 8 * i));
}
static inline uint32_t get32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get64(const unsigned char *p) { return (uint64_t)get32(p) << 32 | get32(p + 4); }

static inline uint32_t crc32(const unsigned char *p, size_t n) {
    uint32_t crc = 0xffffffffu;
    while (n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

/* The checksum a record ought to carry. */
static inline uint32_t record_crc(const unsigned char *record) {
    unsigned char copy[record_bytes];
    memcpy(copy, record, record_bytes);
    put32(copy + 12, 0);
    return crc32(copy, record_bytes);
}

static inline int record_is_valid(const unsigned char *record) {
    return memcmp(record, "APUSJRNL", 8) == 0 && get32(record + 8) == record_version && get32(record + 12) == record_crc(record);
}
#endif
