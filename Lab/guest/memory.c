/* memory PAGES MB RATE: writes the number of the round to each of PAGES pages, round after round, and checks before each write that
 * the page holds the round before. A page of which a migration left the last writes behind is told as "MEMORY STALE". "MEMORY n", at
 * most twice a second, says that all was well up to round n.
 *
 * Beside that it fills MB megabytes and rewrites RATE MB of their pages a second, so that a migration needs several passes. One process
 * does both and never sleeps: another one would let the processor forget its translations, and hide a write that was not noticed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { page = 4096, words = page / 8 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 4 || atoi(argv[1]) < 1 || atoi(argv[2]) < 1) {
        fprintf(stderr, "usage: memory PAGES MB MB_PER_SECOND\n");
        return 64;
    }
    size_t pages = (size_t)atoi(argv[1]), others = (size_t)atoi(argv[2]) * 256;
    double others_per_second = atof(argv[3]) * 256;
    volatile uint64_t *checked = aligned_alloc(page, pages * page), *other = aligned_alloc(page, others * page);
    if (!checked || !other) {
        printf("MEMORY cannot have %s pages and %s MB\n", argv[1], argv[2]);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < pages; i++) checked[i * words] = 0;
    for (size_t i = 0; i < others; i++) other[i * words + i % words] = i;
    printf("MEMORY 0\n");

    uint64_t rewritten = 0;
    double start = now(), told = start;
    for (uint64_t round = 1;; round++) {
        uint64_t stale = 0, behind = 0;
        for (size_t i = 0; i < pages; i++) {
            uint64_t missing = round - 1 - checked[i * words];
            stale += missing != 0;
            if (missing > behind) behind = missing;
            checked[i * words] = round;
        }
        if (stale)
            printf("MEMORY STALE: %llu of %zu pages lack up to %llu rounds before %llu\n", (unsigned long long)stale, pages,
                   (unsigned long long)behind, (unsigned long long)round);
        if (round % 64) continue;
        double time = now(), want = (time - start) * others_per_second;
        for (int n = 0; n < 64 && (double)rewritten < want; n++, rewritten++) other[rewritten % others * words] = round;
        if (time - told < 0.5) continue;
        told = time;
        printf("MEMORY %llu\n", (unsigned long long)round);
    }
}
