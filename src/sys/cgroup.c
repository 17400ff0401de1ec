/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.c - see cgroup.h.
 *
 * A cgroup is taken for delegated when its service manager says so by the extended attribute of
 * systemd, when it belongs to a user other than root and can be written, or when it is the top of
 * a cgroup namespace (a container's own).  That root can write it says nothing: root can write all.
 */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "sys/read_file.h"

#define OURS "kanmon" /* where the gateway and the shims stand */
#define LEAF "mcp-"
#define FILE_BYTES ((size_t)1 << 20)

/* --- files --- */

static int path_of(const char *dir, const char *name, char out[KM_CGROUP_PATH])
{
    int n = snprintf(out, KM_CGROUP_PATH, "%s/%s", dir, name);

    return n < 0 || n >= KM_CGROUP_PATH ? -1 : 0;
}

static int read_file(const char *dir, const char *name, struct km_buf *out)
{
    char path[KM_CGROUP_PATH];

    return path_of(dir, name, path) < 0 ? -1 : km_file_read(path, KM_FILE_ANY, out, NULL);
}

/* Never makes the file: a folder without it is no cgroup. */
static int write_file(const char *dir, const char *name, const char *text)
{
    char path[KM_CGROUP_PATH];
    int fd = path_of(dir, name, path) < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
    const size_t n = strlen(text);
    bool whole;

    if (fd < 0)
        return -1;
    whole = write(fd, text, n) == (ssize_t)n;
    close(fd);
    return whole ? 0 : -1;
}

static bool has_word(const char *dir, const char *name, const char *word)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    struct km_str rest, one;

    if (read_file(dir, name, &text) < 0)
        return false;
    for (rest = km_str_trim(km_buf_view(&text)); km_str_split(&rest, ' ', &one);)
        if (km_str_eq(one, km_str_c(word)))
            return true;
    return false;
}

/* --- looking --- */

/* The mount point of cgroup v2 and the part of the hierarchy it shows:
 * "29 23 0:26 ROOT POINT rw,... - cgroup2 cgroup2 rw" */
static bool find_mount(struct km_str mountinfo, struct km_str *ret_root, struct km_str *ret_point)
{
    struct km_str line, words[5];

    while (km_str_split(&mountinfo, '\n', &line)) {
        size_t n = 0;

        if (km_str_find(line, KM_STR(" - cgroup2 ")) == line.n)
            continue;
        while (n < 5 && km_str_split(&line, ' ', &words[n]))
            n++;
        if (n < 5)
            continue;
        *ret_root = words[3];
        *ret_point = words[4];
        return true;
    }
    return false;
}

bool km_cgroup_own(struct km_str cgroup, struct km_str mountinfo, char out[KM_CGROUP_PATH])
{
    struct km_str line, root, point;
    int n;

    while (km_str_split(&cgroup, '\n', &line)) {
        if (!km_str_starts(line, KM_STR("0::/")))
            continue;
        line = km_str_skip(line, 3);
        if (!find_mount(mountinfo, &root, &point) || km_str_starts(line, KM_STR("/..")))
            return false;
        if (root.n > 1) { /* a part of it is mounted: a container's without a namespace */
            if (!km_str_starts(line, root))
                return false;
            line = km_str_skip(line, root.n);
        }
        if (km_str_eq(line, KM_STR("/")))
            line = KM_STR_NONE;
        n = snprintf(out, KM_CGROUP_PATH, "%.*s%.*s", KM_STR_ARG(point), KM_STR_ARG(line));
        return n > 0 && n < KM_CGROUP_PATH;
    }
    return false;
}

static bool marked(const char *dir)
{
    static const char *const names[] = { "user.delegate", "trusted.delegate" };
    char value[8];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getxattr(dir, names[i], value, sizeof value) >= 1 && value[0] == '1')
            return true;
    return false;
}

/* A namespace's top looks like the machine's, but has a type. */
static bool is_top_of_namespace(const char *dir)
{
    char path[KM_CGROUP_PATH];

    return strcmp(dir, "/sys/fs/cgroup") == 0 && path_of(dir, "cgroup.type", path) == 0 &&
           access(path, F_OK) == 0;
}

static bool can_write(const char *dir)
{
    static const char *const names[] = { "cgroup.procs", "cgroup.subtree_control" };
    char path[KM_CGROUP_PATH];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (path_of(dir, names[i], path) < 0 || access(path, W_OK) < 0)
            return false;
    return access(dir, W_OK) == 0;
}

void km_cgroup_look(const char *own, struct km_cgroup_have *ret)
{
    const char *last = strrchr(own, '/');
    char base[KM_CGROUP_PATH];

    *ret = (struct km_cgroup_have){ 0 };
    snprintf(base, sizeof base, "%s", own);
    if (last && strcmp(last + 1, OURS) == 0)
        base[last - own] = '\0'; /* moved there by the gateway before this one */
    if (!has_word(base, "cgroup.controllers", "memory"))
        snprintf(ret->why, sizeof ret->why, "%s has no memory controller", base);
    else if (!can_write(base))
        snprintf(ret->why, sizeof ret->why, "%s cannot be written by this user", base);
    else if (!marked(base) && geteuid() == 0 && !is_top_of_namespace(base))
        snprintf(ret->why, sizeof ret->why, "%s was not delegated (Delegate=yes in its unit)",
                 base);
    else
        memcpy(ret->base, base, sizeof ret->base);
}

void km_cgroup_have(struct km_cgroup_have *ret)
{
    struct km_buf cgroup KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    struct km_buf mounts KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    char own[KM_CGROUP_PATH];

    if (read_file("/proc/self", "cgroup", &cgroup) == 0 &&
        read_file("/proc/self", "mountinfo", &mounts) == 0 &&
        km_cgroup_own(km_buf_view(&cgroup), km_buf_view(&mounts), own)) {
        km_cgroup_look(own, ret);
        return;
    }
    *ret = (struct km_cgroup_have){ 0 };
    snprintf(ret->why, sizeof ret->why, "this machine has no cgroup v2 in reach");
}

/* --- taking it into use --- */

static bool same_program(struct km_str pid)
{
    char path[64], ours[KM_CGROUP_PATH], its[KM_CGROUP_PATH];
    ssize_t n = readlink("/proc/self/exe", ours, sizeof ours), m;

    snprintf(path, sizeof path, "/proc/%.*s/exe", KM_STR_ARG(km_str_sub(pid, 0, 16)));
    m = readlink(path, its, sizeof its);
    return n > 0 && n == m && memcmp(ours, its, (size_t)n) == 0;
}

/* KM_E_EXISTS: another program is there, too. */
static int move_ours(const char *base)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    struct km_str rest, pid;
    char ours[KM_CGROUP_PATH], word[24];

    if (path_of(base, OURS, ours) < 0 || (mkdir(ours, 0755) < 0 && errno != EEXIST) ||
        read_file(base, "cgroup.procs", &text) < 0)
        return KM_E_SYSTEM;
    for (rest = km_str_trim(km_buf_view(&text)); km_str_split(&rest, '\n', &pid);)
        if (pid.n && !same_program(pid))
            return KM_E_EXISTS;
    for (rest = km_str_trim(km_buf_view(&text)); km_str_split(&rest, '\n', &pid);) {
        snprintf(word, sizeof word, "%.*s", KM_STR_ARG(km_str_sub(pid, 0, 16)));
        if (pid.n && write_file(ours, "cgroup.procs", word) < 0 && errno != ESRCH)
            return KM_E_SYSTEM;
    }
    return 0;
}

/* Of gateways that were killed together with their shims; one in use cannot be removed. */
static void sweep(const char *base)
{
    DIR *dir = opendir(base);
    const struct dirent *e;
    char path[KM_CGROUP_PATH];

    while (dir && (e = readdir(dir)) != NULL)
        if (strncmp(e->d_name, LEAF, sizeof LEAF - 1) == 0 && path_of(base, e->d_name, path) == 0)
            (void)rmdir(path);
    if (dir)
        closedir(dir);
}

void km_cgroup_claim(struct km_cgroup_have *ret)
{
    const char *what = NULL;
    int r;

    km_cgroup_have(ret);
    if (!ret->base[0])
        return;
    r = move_ours(ret->base);
    if (r < 0)
        what = r == KM_E_EXISTS ? "has other programs in it" : "does not let processes be moved";
    else if (write_file(ret->base, "cgroup.subtree_control", "+memory") < 0)
        what = "does not hand its memory controller down";
    if (!what) {
        sweep(ret->base);
        return;
    }
    snprintf(ret->why, sizeof ret->why, "%s %s", ret->base, what);
    ret->base[0] = '\0';
}

/* --- one tree --- */

int km_cgroup_leaf(const char *base, uint64_t memory_bytes, char leaf[KM_CGROUP_PATH],
                   struct km_err *err)
{
    char name[32], bytes[32];
    int error;

    snprintf(name, sizeof name, LEAF "%ld", (long)getpid());
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)memory_bytes);
    if (path_of(base, name, leaf) < 0 || (mkdir(leaf, 0755) < 0 && errno != EEXIST))
        return km_fail_errno(err, errno, "a cgroup below %s", base);
    if (write_file(leaf, "memory.max", bytes) < 0) {
        error = errno;
        (void)rmdir(leaf);
        return km_fail_errno(err, error, "memory.max of %s", leaf);
    }
    (void)write_file(leaf, "memory.swap.max", "0"); /* else the rest goes there; may be missing */
    (void)write_file(leaf, "memory.oom.group", "1"); /* else one process of it; the shim ends it */
    return 0;
}

int km_cgroup_enter(const char *leaf, struct km_err *err)
{
    return write_file(leaf, "cgroup.procs", "0") < 0
               ? km_fail_errno(err, errno, "entering %s", leaf)
               : 0;
}

bool km_cgroup_was_over(const char *leaf)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(FILE_BYTES);
    struct km_str rest, line;
    uint64_t n;

    if (read_file(leaf, "memory.events", &text) < 0)
        return false;
    for (rest = km_buf_view(&text); km_str_split(&rest, '\n', &line);)
        if (km_str_starts(line, KM_STR("oom_kill ")) && km_str_u64(km_str_skip(line, 9), &n) == 0)
            return n > 0;
    return false;
}

void km_cgroup_remove(const char *leaf)
{
    (void)rmdir(leaf); /* the next start removes what could not be */
}
