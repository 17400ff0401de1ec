/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - see sandbox.h.
 *
 * In the shim's child, just before exec:
 *
 *     on, required    the paths ─> Landlock rules ─┐
 *                     capabilities dropped          ├─> exec command
 *                     the filter ───────────────────┘
 *     bubblewrap      the paths ─> arguments of bwrap; the filter goes along as a descriptor,
 *                     because bwrap must mount before it is in force ─> exec bwrap ─> command
 *
 * Order matters: rules are made while files can still be opened, and the filter comes last.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/landlock.h"
#include "sys/sandbox_paths.h"
#include "sys/seccomp.h"
#include "sys/spawn.h"

#define WORDS 4096 /* of bubblewrap's command line */
#define BWRAP "bwrap"
#define FILTER_FD 3 /* where bubblewrap finds the filter */

const char *const km_sandbox_modes[] = { "off", "on", "required", "bubblewrap", NULL };

struct run {
    const struct km_sandbox *box;
    char *const *command;
    struct km_sandbox_paths paths;
};

/* --- the kernel's own means --- */

static int use_landlock(const struct run *r, int version, struct km_err *err)
{
    int rules = km_landlock_new(version);

    if (rules < 0)
        return km_fail_errno(err, errno, "Landlock");
    for (size_t i = 0; i < r->paths.n; i++) {
        if (km_landlock_allow(rules, version, r->paths.v[i].name, r->paths.v[i].write) == 0)
            continue;
        km_fail_errno(err, errno, "Landlock does not take '%s'", r->paths.v[i].name);
        close(rules);
        return err->code;
    }
    if (km_landlock_enter(rules) < 0)
        return km_fail_errno(err, errno, "Landlock");
    return 0;
}

/* As root they would be back with the next exec, so the set of what can be had goes, too. */
static int drop_capabilities(struct km_err *err)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return km_fail_errno(err, errno, "no_new_privs");
    for (int i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0); /* not root: there is nothing to drop */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, none) < 0)
        return km_fail_errno(err, errno, "dropping capabilities");
    return 0;
}

static int use_kernel(const struct run *r, struct km_err *err)
{
    struct sock_filter program[KM_SECCOMP_MOST];
    struct km_sandbox_have have;
    int e;

    km_sandbox_have(&have);
    if ((e = km_sandbox_may(&have, r->box->mode, err)) < 0)
        return e;
    if (have.landlock && (e = use_landlock(r, have.landlock, err)) < 0)
        return e;
    if ((e = drop_capabilities(err)) < 0)
        return e;
    if (have.seccomp && km_seccomp_enter(program, km_seccomp_program(program, r->box->network)) < 0)
        return km_fail_errno(err, errno, "the filter of system calls");
    return 0;
}

/* --- bubblewrap --- */

struct words {
    const char *v[WORDS];
    size_t n;
};

static void word(struct words *w, const char *text)
{
    if (w->n + 1 < WORDS)
        w->v[w->n++] = text;
}

static void words(struct words *w, const char *const *list)
{
    for (; *list; list++)
        word(w, *list);
}

static void bind(struct words *w, const struct km_sandbox_path *p)
{
    if (p->device || strcmp(p->name, "/proc") == 0)
        return; /* it makes its own */
    word(w, p->write ? "--bind-try" : "--ro-bind-try");
    word(w, p->name);
    word(w, p->name);
}

/* At FILTER_FD, which nothing else is at: the shim closed all it did not need. */
static int place_filter(bool network, struct km_err *err)
{
    struct sock_filter program[KM_SECCOMP_MOST];
    const size_t bytes = km_seccomp_program(program, network) * sizeof program[0];
    int fd = memfd_create("filter", 0);

    if (fd < 0 || write(fd, program, bytes) != (ssize_t)bytes || lseek(fd, 0, SEEK_SET) < 0 ||
        (fd != FILTER_FD && dup2(fd, FILTER_FD) < 0))
        return km_fail_errno(err, errno, "the filter of system calls");
    km_close_from(FILTER_FD + 1);
    return 0;
}

static int use_bubblewrap(const struct run *r, struct words *w, struct km_err *err)
{
    static const char *const begin[] = {
        BWRAP, "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
        "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--proc", "/proc", "--dev",
        "/dev", "--tmpfs", "/tmp", NULL
    };
    static const char *const end[] = { "--seccomp", "3", "--", NULL };
    static char cwd[PATH_MAX];
    struct km_sandbox_have have;
    int e;

    km_sandbox_have(&have);
    if ((e = km_sandbox_may(&have, r->box->mode, err)) < 0)
        return e;
    words(w, begin);
    if (!r->box->network)
        word(w, "--unshare-net");
    for (size_t i = 0; i < r->paths.n; i++) /* what may be written lies over what may be read */
        if (!r->paths.v[i].write)
            bind(w, &r->paths.v[i]);
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].write)
            bind(w, &r->paths.v[i]);
    if (getcwd(cwd, sizeof cwd)) {
        word(w, "--chdir");
        word(w, cwd);
    }
    words(w, end);
    words(w, (const char *const *)r->command);
    w->v[w->n] = NULL;
    return place_filter(r->box->network, err);
}

/* --- */

void km_sandbox_have(struct km_sandbox_have *ret)
{
    const char *path = getenv("PATH");
    struct km_str rest = km_str_c(path ? path : "/usr/local/bin:/usr/bin:/bin"), dir;
    char file[PATH_MAX];

    *ret =
        (struct km_sandbox_have){ .landlock = km_landlock_version(), .seccomp = km_seccomp_here() };
    while (!ret->bubblewrap && km_str_split(&rest, ':', &dir))
        ret->bubblewrap = dir.n && dir.p[0] == '/' && dir.n + sizeof "/" BWRAP < sizeof file &&
                          snprintf(file, sizeof file, "%.*s/" BWRAP, KM_STR_ARG(dir)) > 0 &&
                          access(file, X_OK) == 0;
}

void km_sandbox_say(const struct km_sandbox_have *have, enum km_sandbox_mode mode,
                    struct km_buf *out)
{
    if (mode == KM_SANDBOX_OFF || (mode == KM_SANDBOX_BUBBLEWRAP && !have->bubblewrap)) {
        km_buf_str(out, KM_STR("nothing"));
        return;
    }
    if (mode == KM_SANDBOX_BUBBLEWRAP)
        km_buf_str(out, KM_STR("bubblewrap, "));
    else if (have->landlock)
        km_buf_printf(out, "Landlock %d%s, ", have->landlock,
                      have->landlock < KM_LANDLOCK_SIGNALS ? " (keeps files, not signals)" : "");
    if (have->seccomp)
        km_buf_str(out, KM_STR("seccomp, "));
    km_buf_str(out, KM_STR("no capabilities"));
}

int km_sandbox_may(const struct km_sandbox_have *have, enum km_sandbox_mode mode,
                   struct km_err *err)
{
    if (mode == KM_SANDBOX_BUBBLEWRAP && !have->bubblewrap)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "bubblewrap is not installed; install it, or set sandbox to required");
    if (mode == KM_SANDBOX_REQUIRED && !have->landlock)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "this kernel has no Landlock (Linux 5.13, lsm=landlock); set sandbox to "
                       "bubblewrap, or to on for what there is");
    if (mode >= KM_SANDBOX_REQUIRED && !have->seccomp)
        return km_fail(err, KM_E_UNSUPPORTED,
                       "this kernel has no filters of system calls for this processor");
    return 0;
}

int km_sandbox_run(const struct km_sandbox *box, char *const *command, struct km_err *err)
{
    struct run *r = calloc(1, sizeof *r);
    struct words *w = calloc(1, sizeof *w);
    int e = 0;

    if (!r || !w) {
        free(r);
        free(w);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    r->box = box;
    r->command = command;
    if (box->mode != KM_SANDBOX_OFF)
        km_sandbox_paths(&r->paths, box, command);
    km_close_from(3);
    if (box->mode == KM_SANDBOX_BUBBLEWRAP)
        e = use_bubblewrap(r, w, err);
    else if (box->mode != KM_SANDBOX_OFF)
        e = use_kernel(r, err);
    if (e == 0) {
        execvp(w->n ? w->v[0] : command[0],
               w->n ? (char *const *)(uintptr_t)w->v : (char *const *)command);
        e = errno == ENOENT ? KM_E_NOT_FOUND : KM_E_SYSTEM;
        km_fail(err, e, "%s", strerror(errno));
    }
    km_sandbox_paths_done(&r->paths);
    free(r);
    free(w);
    return e;
}
