/* SPDX-License-Identifier: Apache-2.0 */
/* supervise.c - see supervise.h for the contract.
 *
 * set_state() is the only place that changes the state; it arms the one timer a state has
 * and queues the news for the owner.  What each state waits for:
 *
 *     STARTING  km_child_ready(), or ready_ms: then TERM, KILL, and it counts as a failure
 *     READY     its end
 *     STOPPING  its end, or stop_ms: then KILL
 *     BACKOFF   the delay before the next start
 *
 * News are told from deferred work, in order, never from inside the owner's own call.  At
 * most NEWS of them wait; an owner that starts and stops within one iteration more often
 * misses the oldest ones, not the last.
 *
 * Each child watches SIGCHLD itself and waits for its own pid only, so any number of them and
 * other users of waitpid() get along.  A child that is freed while it runs is killed with
 * its session's group, and the object lingers until the kernel has reported the end, so that
 * no zombie stays.
 */
#include "sys/supervise.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/backoff.h"
#include "sys/signals.h"
#include "sys/spawn.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define HEALTHY_MS 60000
#define NEWS 8
#define SPEC_BYTES ((size_t)4 * 1024 * 1024) /* of argv and environment */

struct news {
    enum km_child_state state;
    int exit_status;
};

struct km_child {
    struct km_loop *loop;
    struct km_arena arena; /* the copy of the spec */
    struct km_child_spec spec;
    km_child_fn *on_state;
    void *ctx;
    struct km_signal *sigchld;
    struct km_timer timer;
    struct km_deferred tell;
    struct km_deferred linger; /* freed while it ran; here until it is reaped */
    struct news news[NEWS];
    size_t nnews;
    bool telling; /* inside on_state */
    bool dead; /* freed from inside it */
    bool lingers;
    bool failed; /* never became ready: on its way out */
    bool counted; /* in spec.living */
    enum km_child_state state;
    pid_t pid; /* 0: none */
    uint64_t backoff_ms;
    unsigned failed_starts; /* in a row, or lives too short to be healthy */
    uint64_t ready_at_ms;
};

const char *km_child_state_name(enum km_child_state state)
{
    static const char *const names[] = {
        [KM_CHILD_STOPPED] = "stopped", [KM_CHILD_STARTING] = "starting",
        [KM_CHILD_READY] = "ready",     [KM_CHILD_STOPPING] = "stopping",
        [KM_CHILD_BACKOFF] = "backoff",
    };

    return names[state];
}

/* Room among those that share its bound. */
static int enter_count(struct km_child *c, struct km_err *err)
{
    if (!c->spec.living)
        return 0;
    c->counted = (*c->spec.living)++ < c->spec.most;
    if (c->counted)
        return 0;
    (*c->spec.living)--;
    return km_fail(err, KM_E_AGAIN, "%u processes exist already", c->spec.most);
}

static void leave_count(struct km_child *c)
{
    if (c->counted)
        (*c->spec.living)--;
    c->counted = false;
}

static void destroy(struct km_child *c)
{
    km_timer_stop(&c->timer);
    km_deferred_cancel(&c->tell);
    km_deferred_cancel(&c->linger);
    leave_count(c);
    c->dead = true;
    if (c->telling)
        return; /* on_tell() comes back here */
    km_signal_free(c->sigchld);
    km_arena_done(&c->arena);
    free(c);
}

static void on_tell(void *ctx)
{
    struct km_child *c = ctx;

    c->telling = true;
    while (c->nnews && !c->dead && !c->lingers) {
        const struct news first = c->news[0];

        c->nnews--;
        memmove(c->news, c->news + 1, c->nnews * sizeof c->news[0]);
        c->on_state(c->ctx, c, first.state, first.exit_status);
    }
    c->telling = false;
    if (c->dead)
        destroy(c);
}

static void set_state(struct km_child *c, enum km_child_state state, int exit_status)
{
    c->state = state;
    km_timer_stop(&c->timer);
    if (state == KM_CHILD_STARTING && c->spec.ready_ms)
        km_timer_start(&c->timer, c->spec.ready_ms);
    else if (state == KM_CHILD_STOPPING)
        km_timer_start(&c->timer, c->spec.stop_ms);
    else if (state == KM_CHILD_BACKOFF)
        km_timer_start(&c->timer, c->backoff_ms);
    if (state == KM_CHILD_READY)
        c->ready_at_ms = km_loop_now_ms(c->loop);
    if (c->nnews == NEWS) {
        c->nnews--;
        memmove(c->news, c->news + 1, c->nnews * sizeof c->news[0]);
    }
    c->news[c->nnews++] = (struct news){ .state = state, .exit_status = exit_status };
    km_deferred_queue(&c->tell);
}

/* The child leads a session: its group is what it started and did not move elsewhere. */
static void kill_group(const struct km_child *c)
{
    if (!c->pid)
        return;
    kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
}

static int spawn(struct km_child *c, struct km_err *err)
{
    int r = enter_count(c, err);

    if (r < 0)
        return r;
    r = km_spawn(&c->spec, &c->pid, err);
    if (r < 0) {
        leave_count(c);
        return r;
    }
    c->failed = false;
    set_state(c, KM_CHILD_STARTING, -1);
    if (!c->spec.ready_ms)
        set_state(c, KM_CHILD_READY, -1);
    return 0;
}

/* Waits longer each time, unless the last life was a healthy one. */
static void back_off(struct km_child *c, int exit_status)
{
    const bool healthy =
        c->state == KM_CHILD_READY && km_loop_now_ms(c->loop) - c->ready_at_ms >= HEALTHY_MS;

    c->failed_starts = healthy ? 0 : c->failed_starts;
    c->backoff_ms = km_backoff(BACKOFF_MIN_MS, BACKOFF_MAX_MS, c->failed_starts++);
    set_state(c, KM_CHILD_BACKOFF, exit_status);
}

static void on_timer(void *ctx)
{
    struct km_child *c = ctx;

    if (c->lingers) {
        kill_group(c);
        return;
    }
    switch (c->state) {
    case KM_CHILD_STARTING:
        if (c->failed) {
            kill_group(c);
            break;
        }
        c->failed = true;
        km_child_signal(c, SIGTERM);
        km_timer_start(&c->timer, c->spec.stop_ms);
        break;
    case KM_CHILD_STOPPING:
        kill_group(c);
        break;
    case KM_CHILD_BACKOFF:
        if (spawn(c, NULL) < 0)
            back_off(c, -1);
        break;
    case KM_CHILD_STOPPED:
    case KM_CHILD_READY:
        break;
    }
}

static void on_linger(void *ctx)
{
    destroy(ctx);
}

static void on_exit_of(struct km_child *c, int status)
{
    const bool asked = c->state == KM_CHILD_STOPPING;

    c->pid = 0;
    leave_count(c);
    if (c->lingers)
        destroy(c);
    else if (!asked && c->spec.restart)
        back_off(c, status);
    else
        set_state(c, KM_CHILD_STOPPED, status);
}

static void on_sigchld(void *ctx, int signum)
{
    struct km_child *c = ctx;
    int status;

    (void)signum;
    if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid)
        on_exit_of(c, status);
}

static const char *const *copy_list(struct km_arena *a, const char *const *list)
{
    size_t n = 0;
    const char **copy;

    while (list[n])
        n++;
    copy = km_arena_zalloc(a, (n + 1) * sizeof copy[0]);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = km_arena_cstr(a, km_str_c(list[i]));
    return copy;
}

static int copy_spec(struct km_child *c, const struct km_child_spec *spec, struct km_err *err)
{
    struct km_arena *a = &c->arena;
    int *fds = km_arena_alloc(a, spec->nfds * sizeof fds[0]);

    km_assert(spec->file && spec->argv && spec->envp && (spec->fds || !spec->nfds));
    c->spec = *spec;
    c->spec.file = km_arena_cstr(a, km_str_c(spec->file));
    c->spec.argv = copy_list(a, spec->argv);
    c->spec.envp = copy_list(a, spec->envp);
    if (spec->cwd)
        c->spec.cwd = km_arena_cstr(a, km_str_c(spec->cwd));
    if (fds && spec->nfds)
        memcpy(fds, spec->fds, spec->nfds * sizeof fds[0]);
    c->spec.fds = fds;
    if (km_arena_overflowed(a))
        return km_fail(err, KM_E_LIMIT, "arguments and environment of '%s' are over %zu bytes",
                       spec->file, SPEC_BYTES);
    return 0;
}

struct km_child *km_child_new(struct km_loop *loop, const struct km_child_spec *spec,
                              km_child_fn *on_state, void *ctx, struct km_err *err)
{
    struct km_child *c = calloc(1, sizeof *c);

    if (!c) {
        km_fail(err, KM_E_NOMEM, "no memory for a child process");
        return NULL;
    }
    c->loop = loop;
    c->on_state = on_state;
    c->ctx = ctx;
    km_arena_init(&c->arena, SPEC_BYTES, NULL);
    km_timer_init(&c->timer, loop, on_timer, c);
    km_deferred_init(&c->tell, loop, on_tell, c);
    km_deferred_init(&c->linger, loop, on_linger, c);
    if (copy_spec(c, spec, err) == 0)
        c->sigchld = km_signal_new(loop, SIGCHLD, on_sigchld, c, err);
    if (!c->sigchld) {
        destroy(c);
        return NULL;
    }
    return c;
}

int km_child_start(struct km_child *c, struct km_err *err)
{
    if (c->state != KM_CHILD_STOPPED && c->state != KM_CHILD_BACKOFF)
        return km_fail(err, KM_E_EXISTS, "'%s' is %s", c->spec.file, km_child_state_name(c->state));
    return spawn(c, err);
}

void km_child_ready(struct km_child *c)
{
    if (c->state == KM_CHILD_STARTING && !c->failed)
        set_state(c, KM_CHILD_READY, -1);
}

void km_child_stop(struct km_child *c)
{
    switch (c->state) {
    case KM_CHILD_BACKOFF:
        set_state(c, KM_CHILD_STOPPED, -1);
        break;
    case KM_CHILD_STARTING:
    case KM_CHILD_READY:
        set_state(c, KM_CHILD_STOPPING, -1);
        km_child_signal(c, SIGTERM);
        break;
    case KM_CHILD_STOPPED:
    case KM_CHILD_STOPPING:
        break;
    }
}

void km_child_signal(struct km_child *c, int signum)
{
    if (c->pid)
        kill(c->pid, signum);
}

pid_t km_child_pid(const struct km_child *c)
{
    return c->pid;
}

enum km_child_state km_child_state(const struct km_child *c)
{
    return c->state;
}

struct km_child *km_child_leave(struct km_child *c, uint64_t grace_ms)
{
    if (!c)
        return NULL;
    if (!c->pid) {
        destroy(c);
        return NULL;
    }
    c->lingers = true;
    km_deferred_cancel(&c->tell);
    km_timer_start(&c->timer, grace_ms);
    km_deferred_at_free(&c->linger);
    return NULL;
}

struct km_child *km_child_free(struct km_child *c)
{
    if (c && c->pid)
        kill_group(c);
    return km_child_leave(c, BACKOFF_MAX_MS);
}
