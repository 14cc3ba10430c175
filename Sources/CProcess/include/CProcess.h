#pragma once
// What Swift cannot do itself: code between fork(2) and execve(2), where only async-signal-safe calls are allowed, and the
// ioctl(2), rtnetlink(7) and pidfd calls whose request numbers or structures are C macros.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// How far a process on its way to execve(2) came.
enum cprocess_stage {
    CPROCESS_STAGE_PIPE = 1,
    CPROCESS_STAGE_FORK,
    CPROCESS_STAGE_IDENTITY,
    CPROCESS_STAGE_RECORD,
    CPROCESS_STAGE_DESCRIPTORS,
    CPROCESS_STAGE_GROUPS,
    CPROCESS_STAGE_USER,
    CPROCESS_STAGE_NO_NEW_PRIVILEGES,
    CPROCESS_STAGE_EXECUTE,
    CPROCESS_STAGE_DEADLINE,
};

struct cprocess_spawn_request {
    const char *path;
    char *const *arguments;    // ends with NULL
    char *const *environment;  // ends with NULL
    uid_t user;
    gid_t group;
    const gid_t *groups;
    size_t group_count;
    int log_descriptor;     // becomes standard output and standard error
    int record_descriptor;  // receives "PID START-TICKS\n" before execve(2)
    int deadline_milliseconds;
};

struct cprocess_spawn_result {
    pid_t pid;
    uint64_t start_ticks;  // field 22 of /proc/PID/stat, proc(5)
    int stage;             // where it failed, enum cprocess_stage
    int error;             // errno
};

// Starts a program that is no child of the caller (so nobody but init need wait for it), in a session of its own, as another
// user, without a way back to privileges, with no descriptor open but 0 (/dev/null), 1 and 2 (the log). The record is written
// by the process itself before it runs the program: whatever happens to the caller, no program runs without one.
// Returns 0 once the program runs, else -1 and the stage.
int cprocess_spawn_detached(const struct cprocess_spawn_request *request, struct cprocess_spawn_result *result);

// pidfd_open(2): -1 and errno (ESRCH when there is no such process).
int cprocess_pidfd_open(pid_t pid);
// pidfd_send_signal(2): never reaches another process that got the same number. -1 and errno.
int cprocess_pidfd_signal(int pidfd, int signal);
// Waits until the process behind the descriptor has ended: 1, or 0 when the time is over, or -1 and errno.
int cprocess_pidfd_wait(int pidfd, int milliseconds);

// Makes a persistent tap device with virtio-net headers that `owner` may attach to, with the bridge's MTU, plugged into the
// bridge, if asked, and up. An unattached tap of that name is taken over. Returns 0, else an errno and in `step` what was tried.
int cprocess_tap_create(const char *name, uid_t owner, const char *bridge, const uint8_t mac[6], int plugged, const char **step);
// Plugs a network device into a bridge. Returns 0, else an errno.
int cprocess_link_plug(const char *name, const char *bridge);
// Removes a network device. Returns 0, else an errno: ENODEV when there is none of that name.
int cprocess_link_delete(const char *name);
