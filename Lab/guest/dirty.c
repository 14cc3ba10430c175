/* dirty MB RATE: fills MB megabytes of memory with random words, then rewrites one word in each page, RATE MB of pages a
 * second. Prints FILLED once the memory has been touched. Random words, because zero pages and repeated pages are free for a
 * migration and would flatter it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t word = 88172645463325252u;
static uint64_t next_word(void) {
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    return word;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: dirty MB MB_PER_SECOND\n");
        return 64;
    }
    size_t bytes = (size_t)atoi(argv[1]) << 20, pages = bytes / 4096;
    double pages_per_second = atof(argv[2]) * 256;
    uint64_t *memory = malloc(bytes), done = 0;
    if (!memory || !pages) {
        printf("DIRTY cannot have %s MB\n", argv[1]);
        return 1;
    }
    for (size_t i = 0; i < bytes / 8; i++) memory[i] = next_word();
    printf("FILLED %zu\n", bytes >> 20);
    fflush(stdout);
    for (double start = now();;) {
        double want = (now() - start) * pages_per_second;
        for (int n = 0; (double)done < want && n < 256; n++, done++) memory[done % pages * 512] = next_word();
        if ((double)done >= want) usleep(1000);
    }
}
