/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h.
 *
 * A signal's handler leaves a byte in a pipe, and one poll waits for that byte, for the end of who
 * reads our output, or for the time: nothing is lost between looking and waiting.
 */
#include "app/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "sys/blocking.h"

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
    enum km_waited waited = KM_WAITED_CLOSED;

    (void)w;
    if (fflush(stdout) == 0 && !ferror(stdout))
        waited = km_wait_while_read(STDOUT_FILENO, ended[0], KM_WATCH_MS);
    return waited == KM_WAITED_CLOSED ? end_of_pipe() : waited == KM_WAITED_ALL;
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
