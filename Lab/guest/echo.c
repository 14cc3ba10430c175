/* echo: answers TCP and UDP on port 7, IPv4 and IPv6, many connections at a time, with what was sent. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { port = 7, room = 65536 };

/* What was read from a connection and is not yet sent back: bytes start..<end of data. */
struct connection {
    int socket;
    size_t start, end;
    unsigned char data[room];
};

static int listening(int kind) {
    int s = socket(AF_INET6, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    /* After a pause, all that was sent meanwhile comes at once, and all answers leave at once: with the usual room the 278th would be
       refused, and an answer lost in here looks like a frame lost on the way. */
    int much = 4 << 20;
    if (s >= 0) {
        setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &much, sizeof much);
        setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &much, sizeof much);
    }
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0 || bind(s, (struct sockaddr *)&any, sizeof any) < 0
        || (kind == SOCK_STREAM && listen(s, 128) < 0)) {
        perror("echo");
        exit(1);
    }
    return s;
}

static void watch(int epoll, int operation, int s, uint32_t events, void *who) {
    struct epoll_event event = {.events = events, .data.ptr = who};
    if (epoll_ctl(epoll, operation, s, &event) < 0) perror("echo: epoll");
}

/* Reads and answers until the socket would block. Returns 0 when the connection is over. */
static int serve(int epoll, struct connection *c) {
    for (;;) {
        while (c->start < c->end) {
            ssize_t sent = send(c->socket, c->data + c->start, c->end - c->start, MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) {
                watch(epoll, EPOLL_CTL_MOD, c->socket, EPOLLOUT, c);
                return 1;
            }
            if (sent <= 0) return 0;
            c->start += (size_t)sent;
        }
        ssize_t got = recv(c->socket, c->data, room, 0);
        if (got < 0 && errno == EAGAIN) {
            watch(epoll, EPOLL_CTL_MOD, c->socket, EPOLLIN, c);
            return 1;
        }
        if (got <= 0) return 0;
        c->start = 0;
        c->end = (size_t)got;
    }
}

int main(void) {
    static unsigned char datagram[room];
    int streams = listening(SOCK_STREAM), datagrams = listening(SOCK_DGRAM), epoll = epoll_create1(EPOLL_CLOEXEC), on = 1;
    watch(epoll, EPOLL_CTL_ADD, streams, EPOLLIN, &streams);
    watch(epoll, EPOLL_CTL_ADD, datagrams, EPOLLIN, &datagrams);
    for (;;) {
        struct epoll_event events[32];
        int count = epoll_wait(epoll, events, 32, -1);
        for (int i = 0; i < count; i++) {
            void *who = events[i].data.ptr;
            if (who == &streams) {
                int s = accept4(streams, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                struct connection *c = s < 0 ? NULL : malloc(sizeof *c);
                if (!c) {
                    if (s >= 0) close(s);
                    continue;
                }
                setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                c->socket = s;
                c->start = c->end = 0;
                watch(epoll, EPOLL_CTL_ADD, s, EPOLLIN, c);
            } else if (who == &datagrams) {
                struct sockaddr_in6 from;
                for (;;) {
                    socklen_t length = sizeof from;
                    ssize_t got = recvfrom(datagrams, datagram, room, 0, (struct sockaddr *)&from, &length);
                    if (got < 0) break;
                    sendto(datagrams, datagram, (size_t)got, 0, (struct sockaddr *)&from, length);
                }
            } else {
                struct connection *c = who;
                if (serve(epoll, c)) continue;
                close(c->socket);
                free(c);
            }
        }
    }
}
