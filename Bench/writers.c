/* writers.c - many writers at once, each in a closed loop: one change of 1 KiB, its answer, the next.
 *
 *   writers apus SOCKET CLIENTS SECONDS          POST /v1/cluster/events of apusd, over its Unix socket
 *   writers etcd ADDRESS:PORT CLIENTS SECONDS    Put of etcd, gRPC over TCP
 *
 * One connection a writer, as little work as possible between an answer and the next request: the program shares the processors with
 * what it measures. Prints one line of JSON; latencies in milliseconds. Any request that is not answered with success ends it.
 * gRPC without a library: HTTP/2 (RFC 9113) with constant, uncompressed headers (RFC 7541). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { VALUE = 1024, MOST = 1 << 18, MOST_CLIENTS = 256 };
enum { DATA = 0, HEADERS = 1, RESET = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW = 8, END_STREAM = 1, END_HEADERS = 4, ACK = 1 };

static int is_etcd;
static struct sockaddr_storage server;
static socklen_t server_size;
static double until;

typedef struct { int id, count; const char *failure; float *milliseconds; } writer;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

static int put_all(int fd, const void *bytes, size_t size) {
    for (const char *p = bytes; size > 0;) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n <= 0) return -1;
        p += n; size -= (size_t)n;
    }
    return 0;
}
static int get_all(int fd, void *bytes, size_t size) {
    for (char *p = bytes; size > 0;) {
        ssize_t n = recv(fd, p, size, 0);
        if (n <= 0) return -1;
        p += n; size -= (size_t)n;
    }
    return 0;
}

/* --- HTTP/1.1 --- */

static size_t http_request(char *out, const writer *w) {
    char body[VALUE + 64], value[VALUE + 1];
    int n = snprintf(value, sizeof value, "bench %d %d ", w->id, w->count);
    memset(value + n, 'v', VALUE - n);
    value[VALUE] = 0;
    int size = snprintf(body, sizeof body, "{\"sentence\":\"%s\"}", value);
    return sprintf(out, "POST /v1/cluster/events HTTP/1.1\r\nhost: apus\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s", size, body);
}
/* 204 has no body (RFC 9110, 15.3.5), so the answer ends with its head. */
static const char *http_answer(int fd) {
    char head[4096];
    size_t have = 0;
    for (;;) {
        ssize_t n = recv(fd, head + have, sizeof head - 1 - have, 0);
        if (n <= 0) return "the connection ended";
        have += (size_t)n;
        head[have] = 0;
        if (strstr(head, "\r\n\r\n")) break;
        if (have == sizeof head - 1) return "an answer without end";
    }
    if (strncmp(head, "HTTP/1.1 204 ", 13) == 0) return NULL;
    fprintf(stderr, "%s\n", head);
    return "an answer other than 204";
}

/* --- gRPC --- */

static unsigned char *frame(unsigned char *p, int size, int type, int flags, uint32_t stream) {
    unsigned char h[9] = { size >> 16, size >> 8, size, type, flags, stream >> 24, stream >> 16, stream >> 8, stream };
    return (unsigned char *)memcpy(p, h, 9) + 9;
}
static unsigned char *text(unsigned char *p, const char *s) { *p++ = strlen(s); memcpy(p, s, strlen(s)); return p + strlen(s); }

static int grpc_begin(int fd) {
    unsigned char b[64] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", *p = frame(b + 24, 0, SETTINGS, 0, 0);
    p = frame(p, 4, WINDOW, 0, 0);                      /* a receive window that never fills */
    memcpy(p, "\x3f\xff\x00\x00", 4); p += 4;
    return put_all(fd, b, p - b);
}
static size_t grpc_request(unsigned char *b, const writer *w, uint32_t stream) {
    unsigned char *p = b + 9;
    char key[32];
    int key_size = snprintf(key, sizeof key, "bench/%04d/%09d", w->id, w->count % 1000);
    *p++ = 0x83; *p++ = 0x86; *p++ = 0x04; p = text(p, "/etcdserverpb.KV/Put"); *p++ = 0x01; p = text(p, "etcd");
    *p++ = 0; p = text(p, "content-type"); p = text(p, "application/grpc"); *p++ = 0; p = text(p, "te"); p = text(p, "trailers");
    frame(b, p - b - 9, HEADERS, END_HEADERS, stream);
    int size = 2 + key_size + 3 + VALUE;                /* PutRequest { key = 1, value = 2 } behind gRPC's 5 bytes */
    p = frame(p, 5 + size, DATA, END_STREAM, stream);
    *p++ = 0; *p++ = 0; *p++ = 0; *p++ = size >> 8; *p++ = size;
    *p++ = 0x0a; *p++ = key_size; memcpy(p, key, key_size); p += key_size;
    *p++ = 0x12; *p++ = 0x80 | (VALUE & 0x7f); *p++ = VALUE >> 7; memset(p, 'v', VALUE);
    return p + VALUE - b;
}
/* A put has succeeded when a message (DATA) came before the stream's end; an error has none. */
static const char *grpc_answer(int fd, uint32_t stream) {
    unsigned char h[9], body[16384], reply[32];
    for (int done = 0;;) {
        if (get_all(fd, h, 9)) return "the connection ended";
        int size = h[0] << 16 | h[1] << 8 | h[2], type = h[3], flags = h[4];
        uint32_t id = (uint32_t)h[5] << 24 | h[6] << 16 | h[7] << 8 | h[8];
        if (size > (int)sizeof body || get_all(fd, body, size) || type == GOAWAY) return "the connection ended";
        if (type == SETTINGS && !(flags & ACK)) { frame(reply, 0, SETTINGS, ACK, 0); if (put_all(fd, reply, 9)) return "the connection ended"; }
        if (type == PING && !(flags & ACK)) { memcpy(frame(reply, 8, PING, ACK, 0), body, 8); if (put_all(fd, reply, 17)) return "the connection ended"; }
        if (id != stream) continue;
        if (type == RESET) return "a put was refused";
        if (type == DATA && size > 5) done = 1;
        if ((type == DATA || type == HEADERS) && flags & END_STREAM) return done ? NULL : "a put was refused";
    }
}

/* --- the writers --- */

static int dial(void) {
    int fd = socket(server.ss_family, SOCK_STREAM, 0), one = 1;
    struct timeval limit = { 10, 0 };
    if (fd < 0) return -1;
    if (is_etcd) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&server, server_size) || (is_etcd && grpc_begin(fd))) { close(fd); return -1; }
    return fd;
}
static void *run(void *argument) {
    writer *w = argument;
    unsigned char request[4096];
    int fd = dial();
    if (fd < 0) { w->failure = "no connection"; return NULL; }
    for (uint32_t stream = 1; now() < until && w->count < MOST && !w->failure; stream += 2) {
        size_t size = is_etcd ? grpc_request(request, w, stream) : http_request((char *)request, w);
        double sent = now();
        if (put_all(fd, request, size)) w->failure = "the connection ended";
        else w->failure = is_etcd ? grpc_answer(fd, stream) : http_answer(fd);
        if (!w->failure) w->milliseconds[w->count++] = (now() - sent) * 1000;
    }
    close(fd);
    return NULL;
}
static int order(const void *a, const void *b) { float x = *(const float *)a, y = *(const float *)b; return (x > y) - (x < y); }

static int address(const char *text) {
    if (!is_etcd) {
        struct sockaddr_un *un = (struct sockaddr_un *)&server;
        un->sun_family = AF_UNIX;
        if (strlen(text) >= sizeof un->sun_path) return -1;
        strcpy(un->sun_path, text);
        server_size = sizeof *un;
        return 0;
    }
    char host[64];
    int port;
    struct sockaddr_in *in = (struct sockaddr_in *)&server;
    if (sscanf(text, "%63[0-9.]:%d", host, &port) != 2) return -1;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    server_size = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: writers apus|etcd ADDRESS CLIENTS SECONDS\n"); return 64; }
    is_etcd = strcmp(argv[1], "etcd") == 0;
    int clients = atoi(argv[3]);
    double seconds = atof(argv[4]);
    if (clients < 1 || clients > MOST_CLIENTS || seconds <= 0 || address(argv[2])) { fprintf(stderr, "writers: bad arguments\n"); return 64; }
    pthread_t threads[MOST_CLIENTS];
    writer *writers = calloc(clients, sizeof *writers);
    double start = now();
    until = start + seconds;
    for (int i = 0; i < clients; i++) {
        writers[i].id = i;
        writers[i].milliseconds = malloc(MOST * sizeof(float));
        if (!writers[i].milliseconds || pthread_create(&threads[i], NULL, run, &writers[i])) { perror("writers"); return 1; }
    }
    size_t count = 0;
    const char *failure = NULL;
    for (int i = 0; i < clients; i++) {
        pthread_join(threads[i], NULL);
        count += writers[i].count;
        if (writers[i].failure) failure = writers[i].failure;
    }
    seconds = now() - start;
    if (failure || !count) { fprintf(stderr, "writers: %s\n", failure ? failure : "nothing was written"); return 1; }
    float *all = malloc(count * sizeof(float)), *end = all;
    for (int i = 0; i < clients; i++) { memcpy(end, writers[i].milliseconds, writers[i].count * sizeof(float)); end += writers[i].count; }
    qsort(all, count, sizeof(float), order);
    printf("{\"count\": %zu, \"perSecond\": %.1f, \"p50\": %.4f, \"p99\": %.4f, \"max\": %.4f}\n",
           count, count / seconds, all[count / 2], all[(size_t)(count * 0.99)], all[count - 1]);
}
