/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h.
 *
 * All processes are read once, each with its parent; then "is ours" is handed down from parent to
 * child until nothing changes any more.  A daemon's parent is the subreaper, so that none is
 * missed:
 *
 *     shim ── command ── worker          found by their parents
 *        └─── daemon                     left its session, and has the shim as its new parent
 */
#include "sys/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

struct process {
    pid_t pid, parent;
    uint64_t pages; /* resident */
    bool ours;
};

/* "4711 (name, which may hold anything) S 42 ...": the word after the state, and twenty words on
 * the resident pages. */
static int parse_stat(struct km_str stat, pid_t *ret_parent, uint64_t *ret_pages)
{
    struct km_str rest = km_str_skip(stat, km_str_rchr(stat, ')') + 1), word;
    uint64_t parent;

    for (int i = 0; i < 3; i++)
        if (!km_str_split(&rest, ' ', &word))
            return KM_E_INVALID;
    if (km_str_u64(word, &parent) < 0 || parent > INT_MAX)
        return KM_E_INVALID;
    *ret_parent = (pid_t)parent;
    for (int i = 0; i < 20; i++)
        if (!km_str_split(&rest, ' ', &word))
            return 0;
    return km_str_u64(word, ret_pages) < 0 ? KM_E_INVALID : 0;
}

/* name: of a folder in /proc, perhaps a number. */
static int read_process(const char *name, struct process *ret_process)
{
    struct process p = { .ours = false };
    char path[64], text[512];
    uint64_t pid;
    ssize_t n;
    int fd;

    if (km_str_u64(km_str_c(name), &pid) < 0 || pid > INT_MAX)
        return KM_E_INVALID;
    p.pid = (pid_t)pid;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p.pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return KM_E_NOT_FOUND;
    n = read(fd, text, sizeof text);
    close(fd);
    if (n <= 0 || parse_stat(km_str(text, (size_t)n), &p.parent, &p.pages) < 0)
        return KM_E_INVALID;
    *ret_process = p;
    return 0;
}

/* Everything in /proc, in *ret_list (freed by the caller); 0 when it cannot be read. */
static size_t list_processes(struct process **ret_list)
{
    DIR *proc = opendir("/proc");
    struct process *list = NULL;
    size_t n = 0, cap = 0;
    struct dirent *d;

    while (proc && (d = readdir(proc))) {
        struct process p;

        if (read_process(d->d_name, &p) < 0)
            continue;
        if (n == cap) {
            struct process *more = realloc(list, (cap = cap * 2 + 64) * sizeof *list);

            if (!more)
                break;
            list = more;
        }
        list[n++] = p;
    }
    if (proc)
        closedir(proc);
    *ret_list = list;
    return n;
}

static bool is_ours(const struct process *list, size_t n, pid_t pid)
{
    if (pid == getpid())
        return true;
    for (size_t i = 0; i < n; i++)
        if (list[i].pid == pid)
            return list[i].ours;
    return false;
}

static void mark_ours(struct process *list, size_t n)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < n; i++) {
            if (list[i].ours || !is_ours(list, n, list[i].parent))
                continue;
            list[i].ours = more = true;
        }
    }
}

void km_tree_read(struct km_tree *ret)
{
    struct process *list;
    const size_t n = list_processes(&list);

    *ret = (struct km_tree){ .pids = malloc((n + 1) * sizeof *ret->pids) };
    mark_ours(list, n);
    for (size_t i = 0; ret->pids && i < n; i++) {
        if (!list[i].ours)
            continue;
        ret->pids[ret->n++] = list[i].pid;
        ret->pages += list[i].pages;
    }
    free(list);
}

void km_tree_done(struct km_tree *tree)
{
    free(tree->pids);
    *tree = (struct km_tree){ 0 };
}
