/* journal DEVICE OFFSET BYTES INTERVAL_MS: writes a record every INTERVAL_MS into a ring on the device (format: journal.h).
 *
 * Each record is on the disk (O_DIRECT, O_DSYNC) before the next is made, so a reader can prove afterwards that no write that
 * the guest saw succeed was lost and that no second writer was at work. A new start goes on after the highest sequence it
 * finds. Prints "JOURNAL n" at most once a second: everything up to n is on the disk. */
#define _GNU_SOURCE
#include "journal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    printf("JOURNAL cannot %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Finds the valid record with the highest sequence; returns that sequence, 0 when the ring is empty. */
static uint64_t find_highest(int device, off_t offset, uint64_t slots, uint32_t *crc) {
    enum { chunk = 1 << 20 };
    unsigned char *buffer;
    uint64_t highest = 0;
    if (posix_memalign((void **)&buffer, 4096, chunk)) fail("allocate memory");
    for (uint64_t at = 0; at < slots * record_bytes;) {
        uint64_t left = slots * record_bytes - at;
        ssize_t got = pread(device, buffer, left < chunk ? left : chunk, offset + (off_t)at);
        if (got <= 0 || got % record_bytes) fail("read the ring");
        for (ssize_t i = 0; i < got; i += record_bytes) {
            const unsigned char *record = buffer + i;
            uint64_t sequence = get64(record + 32);
            /* Look at the cheap things first: a checksum for each of thousands of empty slots takes seconds under TCG. */
            if (memcmp(record, "APUSJRNL", 8) || sequence <= highest || !record_is_valid(record)) continue;
            if (sequence % slots != (at + (uint64_t)i) / record_bytes) continue;
            highest = sequence;
            *crc = get32(record + 12);
        }
        at += (uint64_t)got;
    }
    free(buffer);
    return highest;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: journal DEVICE OFFSET BYTES INTERVAL_MS\n");
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    off_t offset = strtoll(argv[2], NULL, 0);
    uint64_t slots = strtoull(argv[3], NULL, 0) / record_bytes, interval = strtoull(argv[4], NULL, 0) * 1000000u;
    if (offset < 0 || offset % record_bytes || slots < 2) {
        printf("JOURNAL needs an offset that is a multiple of 512 and room for two records\n");
        return 64;
    }
    int device = open(argv[1], O_RDWR | O_DIRECT | O_DSYNC);
    if (device < 0) fail("open the device");

    uint32_t before = 0;
    uint64_t sequence = find_highest(device, offset, slots, &before) + 1, first = sequence;
    unsigned char boot[16], *record;
    if (getrandom(boot, sizeof boot, 0) != sizeof boot) fail("get random bytes");
    if (posix_memalign((void **)&record, 4096, record_bytes)) fail("allocate memory");
    printf("JOURNAL starts at %llu\n", (unsigned long long)sequence);

    for (uint64_t due = nanoseconds(), told = 0;; sequence++) {
        memset(record, 0, record_bytes);
        memcpy(record, "APUSJRNL", 8);
        put32(record + 8, record_version);
        memcpy(record + 16, boot, sizeof boot);
        put64(record + 32, sequence);
        put64(record + 40, nanoseconds());
        put64(record + 48, first);
        put32(record + 56, before);
        put32(record + 12, before = record_crc(record));
        /* The same bytes again until they are on the disk: an error must not leave a hole. */
        while (pwrite(device, record, record_bytes, offset + (off_t)(sequence % slots * record_bytes)) != record_bytes) {
            printf("JOURNAL ERROR %llu: %s\n", (unsigned long long)sequence, strerror(errno));
            usleep(100000);
        }
        uint64_t time = nanoseconds();
        if (time - told >= 1000000000u) {
            printf("JOURNAL %llu\n", (unsigned long long)sequence);
            told = time;
        }
        due += interval;
        if (due > time) usleep((useconds_t)((due - time) / 1000));
        else due = time; /* Late, for instance after a pause: do not make up for it with a burst. */
    }
}
