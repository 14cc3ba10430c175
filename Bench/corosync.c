/* corosync.c - what Corosync alone costs on a node, with nothing of Apus in between.
 *
 *   corosync floor FILE COUNT    COUNT times: 1.2 KB written and synced (fdatasync), then 1 KiB sent to the ring and awaited in its order;
 *                                prints one line of JSON with the percentiles of both together, in milliseconds
 *   corosync rings SECONDS       a line for each ring that forms: nanoseconds of the monotonic clock, and the number of its nodes
 *
 * Links with libcpg. */
#include <corosync/cpg.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int delivered;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void on_message(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *bytes, size_t size) {
    (void)handle; (void)group; (void)node; (void)bytes; (void)size;
    if (pid == (uint32_t)getpid()) delivered++;
}
static void on_members(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t count,
                       const struct cpg_address *left, size_t left_count, const struct cpg_address *joined, size_t joined_count) {
    (void)handle; (void)group; (void)members; (void)count; (void)left; (void)left_count; (void)joined; (void)joined_count;
}
static void on_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t count, const uint32_t *nodes) {
    (void)handle; (void)ring; (void)nodes;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    printf("%lld %u\n", (long long)t.tv_sec * 1000000000LL + t.tv_nsec, count);
    fflush(stdout);
}
static int order(const void *a, const void *b) { double x = *(const double *)a, y = *(const double *)b; return (x > y) - (x < y); }
static void fail(const char *what, int code) { fprintf(stderr, "corosync: %s: code %d\n", what, code); exit(1); }

/* Waits for events until the time comes; never longer than a tenth of a second beyond it. */
static void dispatch(cpg_handle_t handle, int fd, double limit) {
    struct pollfd p = { fd, POLLIN, 0 };
    double left = limit - now();
    if (left <= 0) return;
    poll(&p, 1, left < 0.1 ? (int)(left * 1000) + 1 : 100);
    cs_error_t code = cpg_dispatch(handle, CS_DISPATCH_ALL);
    if (code != CS_OK && code != CS_ERR_TRY_AGAIN) fail("cpg_dispatch", code);
}

static void measure_floor(cpg_handle_t handle, int fd, const char *path, int count) {
    static char block[1200], message[1024];
    double *both = malloc(count * sizeof *both);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || !both) { perror(path); exit(1); }
    /* Room that is there already, as in a log that is begun anew: a growing file would sync its size as well. */
    for (int i = 0; i < count; i++) if (pwrite(file, block, sizeof block, (off_t)i * sizeof block) != sizeof block) { perror(path); exit(1); }
    if (fsync(file)) { perror(path); exit(1); }
    for (int i = -50; i < count; i++) {
        double start = now();
        memset(block, i, sizeof block);
        if (pwrite(file, block, sizeof block, (off_t)(i < 0 ? 0 : i) * sizeof block) != sizeof block || fdatasync(file)) { perror(path); exit(1); }
        int before = delivered;
        struct iovec vector = { message, sizeof message };
        cs_error_t code;
        while ((code = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &vector, 1)) == CS_ERR_TRY_AGAIN && now() < start + 5) usleep(1000);
        if (code != CS_OK) fail("cpg_mcast_joined", code);
        while (delivered == before && now() < start + 5) dispatch(handle, fd, start + 5);
        if (delivered == before) fail("no message came back within 5 s", 0);
        if (i >= 0) both[i] = (now() - start) * 1000;    /* The first fifty only warm up. */
    }
    qsort(both, count, sizeof *both, order);
    printf("{\"count\": %d, \"p50\": %.4f, \"p99\": %.4f, \"max\": %.4f}\n", count, both[count / 2], both[(int)(count * 0.99)], both[count - 1]);
}

int main(int argc, char **argv) {
    int is_floor = argc == 4 && strcmp(argv[1], "floor") == 0, is_rings = argc == 3 && strcmp(argv[1], "rings") == 0;
    if (!is_floor && !is_rings) { fprintf(stderr, "usage: corosync floor FILE COUNT | corosync rings SECONDS\n"); return 64; }
    cpg_model_v1_data_t model = { .model = CPG_MODEL_V1, .cpg_deliver_fn = on_message, .cpg_confchg_fn = on_members,
                                  .cpg_totem_confchg_fn = is_rings ? on_ring : NULL, .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF };
    cpg_handle_t handle;
    cs_error_t code = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);
    if (code != CS_OK) fail("cpg_model_initialize", code);
    struct cpg_name group = { .length = 10, .value = "apus-bench" };
    if ((code = cpg_join(handle, &group)) != CS_OK) fail("cpg_join", code);
    int fd;
    if ((code = cpg_fd_get(handle, &fd)) != CS_OK) fail("cpg_fd_get", code);
    if (is_floor) {
        int count = atoi(argv[3]);
        if (count < 100 || count > 1000000) { fprintf(stderr, "corosync: COUNT is 100 to 1000000\n"); return 64; }
        measure_floor(handle, fd, argv[2], count);
    } else {
        double end = now() + atof(argv[2]);
        while (now() < end) dispatch(handle, fd, end);
    }
    cpg_finalize(handle);
}
