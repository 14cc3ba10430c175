#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// linux/close_range.h; glibc 2.36 declares the function only.
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

// Small enough to be written to a pipe in one piece (PIPE_BUF, pipe(7)).
struct report {
    pid_t pid;
    uint64_t start_ticks;
    int stage;
    int error;
};

static void fail(int status, int stage) {
    struct report report = {.pid = getpid(), .stage = stage, .error = errno};
    (void)!write(status, &report, sizeof report);
    _exit(127);
}

static size_t append_number(char *text, uint64_t number) {
    char reversed[20];
    size_t digits = 0, length = 0;
    do reversed[digits++] = (char)('0' + number % 10);
    while (number /= 10);
    while (digits) text[length++] = reversed[--digits];
    return length;
}

// proc(5): the second field, the command, is in parentheses and may hold anything, so fields are counted from its last one.
static int own_start_ticks(uint64_t *ticks) {
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return -1;
    text[count] = 0;
    char *field = strrchr(text, ')');
    for (int number = 2; field && number < 22; number++) {
        field = strchr(field, ' ');
        if (field) field++;
    }
    if (!field || *field < '0' || *field > '9') {
        errno = EPROTO;
        return -1;
    }
    for (*ticks = 0; *field >= '0' && *field <= '9'; field++) *ticks = *ticks * 10 + (uint64_t)(*field - '0');
    return 0;
}

static void become(const struct cprocess_spawn_request *request, int status) {
    struct report report = {.pid = getpid()};
    if (own_start_ticks(&report.start_ticks)) fail(status, CPROCESS_STAGE_IDENTITY);
    char record[64];
    size_t length = append_number(record, (uint64_t)report.pid);
    record[length++] = ' ';
    length += append_number(record + length, report.start_ticks);
    record[length++] = '\n';
    if (write(request->record_descriptor, record, length) != (ssize_t)length) fail(status, CPROCESS_STAGE_RECORD);
    if (write(status, &report, sizeof report) != sizeof report) _exit(127);

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(request->log_descriptor, 1) < 0 || dup2(request->log_descriptor, 2) < 0)
        fail(status, CPROCESS_STAGE_DESCRIPTORS);
    // Everything else closes at execve, the status pipe too: its end tells the caller that the program runs.
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC)) fail(status, CPROCESS_STAGE_DESCRIPTORS);
    if (chdir("/")) fail(status, CPROCESS_STAGE_DESCRIPTORS);
    umask(077);

    // The system calls themselves: the C library's functions first take the lock of its list of threads, to change them all
    // (nptl(7)). A thread of the caller that was just being made holds it for ever in this copy.
    if (syscall(SYS_setgroups, request->group_count, request->groups)) fail(status, CPROCESS_STAGE_GROUPS);
    if (syscall(SYS_setresgid, request->group, request->group, request->group)) fail(status, CPROCESS_STAGE_GROUPS);
    if (syscall(SYS_setresuid, request->user, request->user, request->user)) fail(status, CPROCESS_STAGE_USER);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail(status, CPROCESS_STAGE_NO_NEW_PRIVILEGES);

    // Ignored signals would stay ignored in the program, and the caller's handlers mean nothing here.
    for (int number = 1; number < NSIG; number++) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigaction(number, &standard, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->path, request->arguments, request->environment);
    fail(status, CPROCESS_STAGE_EXECUTE);
}

// 1: a report was read; 0: the pipe's other end closed; -1: deadline.
static int next_report(int status, struct report *report, int milliseconds) {
    struct pollfd waiting = {.fd = status, .events = POLLIN};
    int ready;
    do ready = poll(&waiting, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0) return -1;
    ssize_t count;
    do count = read(status, report, sizeof *report);
    while (count < 0 && errno == EINTR);
    return count == sizeof *report ? 1 : 0;
}

int cprocess_spawn_detached(const struct cprocess_spawn_request *request, struct cprocess_spawn_result *result) {
    memset(result, 0, sizeof *result);
    int status[2];
    if (pipe2(status, O_CLOEXEC)) {
        result->stage = CPROCESS_STAGE_PIPE;
        result->error = errno;
        return -1;
    }
    // No handler of the caller may run in the child, whose memory is a copy of a moment in a threaded program.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // _Fork(3) is fork without the handlers of pthread_atfork(3), which may wait for locks that no thread will release here.
    pid_t child = _Fork();
    if (child == 0) {
        close(status[0]);
        setsid();
        pid_t grandchild = _Fork();
        if (grandchild < 0) fail(status[1], CPROCESS_STAGE_FORK);
        if (grandchild > 0) _exit(0);
        become(request, status[1]);
    }
    int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(status[1]);
    if (child < 0) {
        close(status[0]);
        result->stage = CPROCESS_STAGE_FORK;
        result->error = fork_error;
        return -1;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    struct report report;
    int got;
    while ((got = next_report(status[0], &report, request->deadline_milliseconds)) == 1) {
        result->pid = report.pid;
        if (report.start_ticks) result->start_ticks = report.start_ticks;
        result->stage = report.stage;
        result->error = report.error;
    }
    close(status[0]);
    if (got < 0) {
        if (result->pid > 0) kill(result->pid, SIGKILL);
        result->stage = CPROCESS_STAGE_DEADLINE;
        result->error = ETIMEDOUT;
    } else if (!result->pid) {
        result->stage = CPROCESS_STAGE_FORK;
        result->error = ECHILD;
    }
    return result->stage ? -1 : 0;
}

int cprocess_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int cprocess_pidfd_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int cprocess_pidfd_wait(int pidfd, int milliseconds) {
    struct pollfd waiting = {.fd = pidfd, .events = POLLIN};
    int ready = poll(&waiting, 1, milliseconds);
    return ready < 0 && errno == EINTR ? 0 : ready;
}
