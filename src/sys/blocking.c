/* SPDX-License-Identifier: Apache-2.0 */
/* blocking.c - see blocking.h for the contract.
 *
 *     waitpid, poll, nanosleep, read ── EINTR: once more ── anything else: that is the answer
 *
 * They stand here because each has an error that is no end (EINTR) and errors that are (ECHILD
 * where SIGCHLD is ignored): a loop written elsewhere takes the one for the other and spins for
 * ever, or gives up on a signal.  lint.banned keeps them here.
 */
#include "sys/blocking.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "sys/spawn.h"
#include "sys/supervise.h"

int km_wait_child(pid_t pid, int *ret_status, struct km_err *err)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return km_fail_errno(err, errno, "nothing was heard of the end of process %ld",
                                 (long)pid);
    *ret_status = status;
    return 0;
}

int km_run(const struct km_child_spec *spec, int *ret_status, struct km_err *err)
{
    pid_t pid;
    int r = km_spawn(spec, &pid, err);

    return r == 0 ? km_wait_child(pid, ret_status, err) : r;
}

/* Until one of them can be read, or failed; 0: the time is over. */
static int wait_for_input(struct pollfd *fds, nfds_t n, int64_t most_ms)
{
    uint64_t end = km_mono_ms() + (uint64_t)(most_ms < 0 ? 0 : most_ms), now;
    int r;

    do {
        now = km_mono_ms();
        r = poll(fds, n,
                 most_ms < 0             ? -1
                 : now >= end            ? 0
                 : end - now > INT32_MAX ? INT32_MAX
                                         : (int)(end - now));
    } while ((r < 0 && errno == EINTR) || (r == 0 && most_ms > 0 && km_mono_ms() < end));
    return r;
}

bool km_wait_gone(pid_t pid, int64_t most_ms)
{
    struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
    int r;

    if (p.fd < 0)
        return errno == ESRCH;
    r = wait_for_input(&p, 1, most_ms < 0 ? 0 : most_ms);
    close(p.fd);
    return r == 1;
}

void km_wait_ms(unsigned ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

ssize_t km_read_or_wake(int fd, int wake, void *room, size_t n)
{
    struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = wake, .events = POLLIN } };
    ssize_t got;

    do {
        if (wait_for_input(p, 2, -1) < 0)
            return -1;
        if (p[1].revents)
            return KM_READ_WOKEN;
        got = read(fd, room, n); /* what poll saw may be gone by now: another has the same pipe */
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    return got;
}

enum km_waited km_wait_while_read(int out, int wake, unsigned ms)
{
    /* events 0: an error is told, and that is a pipe nobody reads */
    struct pollfd fds[] = { { out, 0, 0 }, { wake, POLLIN, 0 } };
    const uint64_t until_ms = km_mono_ms() + ms;

    for (uint64_t now = km_mono_ms(); now < until_ms; now = km_mono_ms()) {
        if (poll(fds, 2, (int)(until_ms - now)) < 0 && errno != EINTR)
            return KM_WAITED_CLOSED;
        if (fds[0].revents & (POLLERR | POLLNVAL))
            return KM_WAITED_CLOSED;
        if (fds[1].revents)
            return KM_WAITED_WOKEN;
    }
    return KM_WAITED_ALL;
}
