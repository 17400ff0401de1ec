/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - credential_process: a program that prints credentials.
 *
 * It is run without a shell: the command is split at white space, quotes hold words together.
 * Its output goes into a file in memory, read when it has ended; it has 60 seconds and 64 KiB.
 * Of the environment it gets what such programs need and no provider's key.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "llm/aws/source.h"

#define WORDS_MOST 64
#define TIME_MS 60000
#define OUTPUT_MOST (64 * 1024)
#define ENV_MOST 256

extern char **environ;

/* One word, quotes and backslashes undone; false at the end. */
static bool word(struct km_arena *arena, struct km_str *rest, const char **ret)
{
    char *out = km_arena_alloc(arena, rest->n + 1);
    size_t i = 0, n = 0;
    char quote = 0;

    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t'))
        i++;
    if (i == rest->n || !out)
        return false;
    for (; i < rest->n; i++) {
        char c = rest->p[i];

        if (!quote && (c == ' ' || c == '\t'))
            break;
        if (!quote && (c == '"' || c == '\''))
            quote = c;
        else if (quote && c == quote)
            quote = 0;
        else if (c == '\\' && quote != '\'' && i + 1 < rest->n)
            out[n++] = rest->p[++i];
        else
            out[n++] = c;
    }
    out[n] = '\0';
    *rest = km_str_skip(*rest, i);
    *ret = out;
    return true;
}

static bool passes(const char *variable)
{
    static const char *const names[] = { "PATH=", "HOME=", "USER=",     "LOGNAME=", "LANG=",
                                         "LC_",   "TZ=",   "TMPDIR=",   "AWS_",     "SSL_CERT_",
                                         "XDG_",  "HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY=",
                                         "http_proxy=", "https_proxy=", "no_proxy=" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static const char *const *environment(struct km_arena *arena)
{
    const char **out = km_arena_zalloc(arena, (ENV_MOST + 1) * sizeof *out);
    size_t n = 0;

    for (char **e = environ; out && e && *e && n < ENV_MOST; e++)
        if (passes(*e))
            out[n++] = *e;
    return out;
}

void km_aws_process_done(struct km_aws_search *s)
{
    if (s->child_time.loop) /* a process was asked at all */
        km_timer_stop(&s->child_time);
    s->child = km_child_free(s->child);
    if (s->child_out >= 0)
        close(s->child_out);
    s->child_out = -1;
}

static int output(struct km_aws_search *s, int status, struct km_aws_found *ret, struct km_err *err)
{
    char *p = km_arena_alloc(&s->arena, OUTPUT_MOST + 1);
    ssize_t n = p ? pread(s->child_out, p, OUTPUT_MOST + 1, 0) : -1;

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return km_fail(err, KM_E_UPSTREAM_STATUS, "credential_process ended with %s %d",
                       WIFEXITED(status) ? "status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    if (n < 0 || n > OUTPUT_MOST)
        return km_fail(err, KM_E_LIMIT, "credential_process printed more than %d bytes",
                       OUTPUT_MOST);
    return km_aws_parse_json(&s->arena, km_str(p, (size_t)n), ret, err);
}

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int exit_status)
{
    struct km_aws_search *s = ctx;
    struct km_aws_found found;
    struct km_err err = { 0 };
    int r;

    (void)child;
    if (state != KM_CHILD_STOPPED)
        return;
    r = output(s, exit_status, &found, &err);
    km_aws_process_done(s);
    if (r < 0)
        km_aws_failed(s, &err);
    else
        km_aws_found(s, &found);
}

static void on_time(void *ctx)
{
    struct km_aws_search *s = ctx;
    struct km_err err = { 0 };

    km_aws_process_done(s);
    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "credential_process took over %d s", TIME_MS / 1000);
    km_aws_failed(s, &err);
}

static int run(struct km_aws_search *s, const char *const *argv, struct km_err *err)
{
    struct km_child_spec spec = { .file = argv[0],
                                  .argv = argv,
                                  .envp = environment(&s->arena),
                                  .stdin_fd = -1,
                                  .stdout_fd = s->child_out,
                                  .stderr_fd = -1,
                                  .stop_ms = 1000 };

    if (!spec.envp)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->child = km_child_new(s->run->loop, &spec, on_state, s, err);
    return s->child ? km_child_start(s->child, err) : KM_E_NOMEM;
}

int km_aws_from_process(struct km_aws_search *s, struct km_str command, struct km_err *err)
{
    const char **argv = km_arena_zalloc(&s->arena, (WORDS_MOST + 1) * sizeof *argv);
    size_t n = 0;
    int r;

    while (argv && n < WORDS_MOST && word(&s->arena, &command, &argv[n]))
        n++;
    if (!n)
        return km_fail(err, KM_E_CONFIG, "credential_process is empty");
    km_timer_init(&s->child_time, s->run->loop, on_time, s);
    s->child_out = memfd_create("credential_process", MFD_CLOEXEC);
    if (s->child_out < 0)
        return km_fail_errno(err, errno, "memfd_create");
    r = run(s, argv, err);
    if (r < 0) {
        km_aws_process_done(s);
        return r == KM_E_NOT_FOUND || r == KM_E_AGAIN ? KM_E_SYSTEM : r;
    }
    km_timer_start(&s->child_time, TIME_MS);
    return KM_E_AGAIN;
}
