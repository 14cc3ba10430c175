// Makes reads and writes of one file slow, for a target that is started with LD_PRELOAD. SLOW_FILE names the file, SLOW_MILLISECONDS says
// how long each takes at least.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void wait_for(int file) {
    const char *slow = getenv("SLOW_FILE"), *time = getenv("SLOW_MILLISECONDS");
    char link[32], path[4096];
    if (!slow || !time) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strcmp(path, slow)) return;
    long milliseconds = atol(time);
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

#define SLOW(name, buffer)                                                  \
    ssize_t name(int file, buffer bytes, size_t count, off64_t offset) {    \
        static ssize_t (*real)(int, buffer, size_t, off64_t);               \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);               \
        wait_for(file);                                                     \
        return real(file, bytes, count, offset);                            \
    }
SLOW(pread, void *)
SLOW(pread64, void *)
SLOW(pwrite, const void *)
SLOW(pwrite64, const void *)
