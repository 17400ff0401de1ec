/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_paths.c - see sandbox_paths.h.
 *
 *     everywhere     programs, libraries, /proc (what is private there the kernel keeps), and those
 *                    files of /etc every program needs: the gateway's own configuration may lie
 *                    beside them
 *     HOME           nothing but the settings of npm, pip and uv
 *     PATH           its folders; beside a `bin` what belongs to it (lib, pyvenv.cfg)
 *     command line   the program, where it really is, and files and folders that are arguments
 *     directory      the working one
 *     configured     what may be read, what may be written
 *
 * A folder that holds HOME is never allowed as a consequence of something else, only when it is
 * configured.
 */
#include "sys/sandbox_paths.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct paths {
    struct km_sandbox_paths *out;
    char *const *command;
    const char *home;
};

static void add(struct paths *r, const char *name, bool write)
{
    if (name && name[0] == '/' && r->out->n < KM_SANDBOX_ALL)
        r->out->v[r->out->n++] = (struct km_sandbox_path){ .name = strdup(name), .write = write };
}

static void add_all(struct paths *r, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        add(r, names[i], false);
}

/* A file of the folder, or the folder's neighbour. */
static void add_below(struct paths *r, const char *folder, const char *name)
{
    char path[PATH_MAX];

    if (folder && (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path)
        add(r, path, false);
}

/* "/", HOME, and what is between. */
static bool holds_home(const struct paths *r, const char *path)
{
    struct km_str home = km_str_c(r->home ? r->home : ""), p = km_str_c(path);

    while (p.n && p.p[p.n - 1] == '/')
        p.n--;
    return p.n == 0 || (km_str_starts(home, p) && (home.n == p.n || home.p[p.n] == '/'));
}

/* A folder of programs, and where such programs keep what belongs to them. */
static void add_programs(struct paths *r, const char *folder)
{
    static const char *const beside[] = { "lib", "lib64", "libexec", "include", "pyvenv.cfg",
                                          NULL };
    char real[PATH_MAX], *up;

    if (!realpath(folder, real) || holds_home(r, real))
        return;
    add(r, real, false);
    up = strrchr(real, '/');
    if (!up || strcmp(up, "/bin") != 0)
        return;
    *up = '\0';
    for (size_t i = 0; beside[i]; i++)
        add_below(r, real, beside[i]);
}

/* The command itself may be a link to somewhere else, as what npm and pip install often is. */
static void add_target(struct paths *r, const char *folder, const char *name)
{
    char path[PATH_MAX], real[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path ||
        access(path, X_OK) < 0 || !realpath(path, real))
        return;
    add_programs(r, dirname(path));
    add_programs(r, dirname(real));
}

static void add_path_of(struct paths *r)
{
    const char *path = getenv("PATH"), *command = r->command[0];
    struct km_str rest = km_str_c(path ? path : ""), dir;
    char folder[PATH_MAX];

    while (km_str_split(&rest, ':', &dir)) {
        if (!dir.n || dir.p[0] != '/' || dir.n >= sizeof folder)
            continue;
        snprintf(folder, sizeof folder, "%.*s", KM_STR_ARG(dir));
        add_programs(r, folder);
        if (!strchr(command, '/'))
            add_target(r, folder, command);
    }
    if (strchr(command, '/'))
        add_target(r, "", command);
}

/* A file or folder an argument names is what the server is meant to use. */
static void add_arguments(struct paths *r)
{
    for (size_t i = 1; r->command[i]; i++) {
        char real[PATH_MAX];

        if (r->command[i][0] == '/' && realpath(r->command[i], real) && !holds_home(r, real))
            add(r, real, false);
    }
}

static void find_all(struct paths *r, const struct km_sandbox *box)
{
    static const char *const everywhere[] = {
        "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
        "/proc", "/sys/fs/cgroup", "/sys/devices/system", "/run/systemd/resolve",
        "/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/fonts",
        "/etc/gai.conf", "/etc/group", "/etc/host.conf", "/etc/hosts", "/etc/ld.so.cache",
        "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/locale.alias", "/etc/localtime",
        "/etc/mime.types", "/etc/networks", "/etc/nsswitch.conf", "/etc/npmrc", "/etc/os-release",
        "/etc/passwd", "/etc/pip.conf", "/etc/pki", "/etc/protocols", "/etc/python3",
        "/etc/python3.11", "/etc/python3.12", "/etc/python3.13", "/etc/resolv.conf",
        "/etc/services", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/timezone", "/etc/uv", NULL
    };
    static const char *const in_home[] = { ".npmrc", ".config/npm", ".config/pip", ".config/uv",
                                           ".local/share/uv", NULL };
    static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                           "/dev/urandom", NULL };
    static const char *const named[] = { "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
                                         NULL };
    char cwd[PATH_MAX];

    add_all(r, everywhere);
    for (size_t i = 0; devices[i]; i++) {
        add(r, devices[i], true);
        r->out->v[r->out->n - 1].device = true;
    }
    for (size_t i = 0; r->home && in_home[i]; i++)
        add_below(r, r->home, in_home[i]);
    for (size_t i = 0; named[i]; i++)
        add(r, getenv(named[i]), false);
    add_path_of(r);
    add_arguments(r);
    if (getcwd(cwd, sizeof cwd) && !holds_home(r, cwd))
        add(r, cwd, false);
    for (size_t i = 0; i < box->nread; i++)
        add(r, box->read[i], false);
    for (size_t i = 0; i < box->nwrite; i++)
        add(r, box->write[i], true);
}

void km_sandbox_paths(struct km_sandbox_paths *ret, const struct km_sandbox *box,
                      char *const *command)
{
    struct paths r = { .out = ret, .command = command, .home = getenv("HOME") };

    ret->n = 0;
    find_all(&r, box);
}

void km_sandbox_paths_done(struct km_sandbox_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        free(paths->v[i].name);
    paths->n = 0;
}
