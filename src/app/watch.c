/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h.
 *
 * A signal's handler leaves a byte in a pipe, and one poll waits for that byte, for the end of who
 * reads our output, or for the time: nothing is lost between looking and waiting.
 */
#include "app/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/time.h"

static int ended[2] = { -1, -1 };

static void on_signal(int number)
{
    int before = errno;

    (void)number;
    (void)!write(ended[1], "", 1);
    errno = before;
}

void km_watch_begin(struct km_watch *w, struct km_cli *cli)
{
    struct sigaction end = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

    *w = (struct km_watch){ .cli = cli };
    if (pipe2(ended, O_CLOEXEC | O_NONBLOCK) < 0)
        return; /* then a signal ends the process as it does any */
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* Nobody reads what we print: that is an end as good as any, and no error of the output. */
static bool end_of_pipe(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)dup2(fd, STDOUT_FILENO);
        close(fd);
    }
    clearerr(stdout);
    return false;
}

bool km_watch_wait(const struct km_watch *w)
{
    /* events 0: an error is told, and that is a pipe nobody reads */
    struct pollfd fds[] = { { STDOUT_FILENO, 0, 0 }, { ended[0], POLLIN, 0 } };
    const uint64_t until_ms = km_mono_ms() + KM_WATCH_MS;

    (void)w;
    if (fflush(stdout) != 0 || ferror(stdout))
        return end_of_pipe();
    for (uint64_t now = km_mono_ms(); now < until_ms; now = km_mono_ms()) {
        if (poll(fds, 2, (int)(until_ms - now)) < 0 && errno != EINTR)
            return false;
        if (fds[0].revents & (POLLERR | POLLNVAL))
            return end_of_pipe();
        if (fds[1].revents)
            return false;
    }
    return true;
}

/* It ended, ends, or is not back yet. */
static bool is_away(int code)
{
    return code == KM_E_NOT_RUNNING || code == KM_E_UPSTREAM_PROTOCOL ||
           code == KM_E_UPSTREAM_CONNECT || code == KM_E_UPSTREAM_TIMEOUT;
}

int km_watch_ask(struct km_watch *w, const char *target, struct km_answer *ret, struct km_err *err)
{
    int r = km_cli_call(w->cli, "GET", target, KM_STR_NONE, ret, err);

    if (r < 0 && is_away(r)) {
        if (w->met && !w->away)
            fprintf(stderr, "kanmon: the gateway went away; waiting for it\n");
        w->away = w->met;
        return KM_E_AGAIN;
    }
    if (w->away)
        fprintf(stderr, "kanmon: the gateway is back\n");
    w->away = false;
    w->met = true;
    return r;
}
