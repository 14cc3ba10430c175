/* power: powers the machine off when its ACPI power button is pressed (KEY_POWER of any input device). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <linux/input.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void) {
    enum { most = 8 };
    struct pollfd devices[most];
    glob_t paths;
    nfds_t count = 0;
    if (glob("/dev/input/event*", 0, NULL, &paths)) return 1;
    for (size_t i = 0; i < paths.gl_pathc && count < most; i++) {
        int device = open(paths.gl_pathv[i], O_RDONLY | O_CLOEXEC);
        if (device >= 0) devices[count++] = (struct pollfd){device, POLLIN, 0};
    }
    for (;;) {
        if (poll(devices, count, -1) < 0) return 1;
        for (nfds_t i = 0; i < count; i++) {
            struct input_event event;
            if (!(devices[i].revents & POLLIN) || read(devices[i].fd, &event, sizeof event) != sizeof event) continue;
            if (event.type != EV_KEY || event.code != KEY_POWER || event.value != 1) continue;
            printf("POWEROFF\n");
            fflush(stdout);
            /* Nobody may be writing while the devices go away: the last write would be half done. Process 1 is spared by kill(2). */
            kill(-1, SIGKILL);
            sync();
            reboot(RB_POWER_OFF);
        }
    }
}
