/* SPDX-License-Identifier: Apache-2.0 */
/* holder.c - km_port_holder(): which process listens on a port; see listener.h.
 *
 * /proc/net/tcp and tcp6 list listening sockets with their inode, and the descriptors of
 * each process are links "socket:[inode]":
 *
 *     /proc/net/tcp   0: 0100007F:0FA0 00000000:0000 0A ... uid timeout inode
 *     /proc/4711/fd/6 -> socket:[inode]
 *     /proc/4711/comm
 *
 * It is a walk through all processes, done once, on the way to an error message.  Processes
 * of others hide their descriptors from us; then there is no answer, and the message goes
 * without one.
 */
#include "sys/listener.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TCP_LISTEN_STATE 0x0a
#define INODES 64 /* sockets that share the port, looked for */

struct found {
    uint64_t inodes[INODES];
    size_t n;
};

struct entry {
    int family;
    uint32_t words[4]; /* as the kernel keeps them: network order */
    unsigned port, state;
    uint64_t inode;
};

static bool is_any(const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (words[i])
            return false;
    return true;
}

/* Two sockets collide when their addresses are equal or one takes every address. */
static bool collides(const struct entry *e, const union km_addr *addr)
{
    const size_t theirs = e->family == AF_INET6 ? 4 : 1;
    const size_t ours = addr->sa.sa_family == AF_INET6 ? 4 : 1;
    uint32_t words[4];

    if (ours == 4)
        memcpy(words, &addr->in6.sin6_addr, sizeof words);
    else
        memcpy(words, &addr->in.sin_addr, sizeof words[0]);
    if (is_any(e->words, theirs) || is_any(words, ours))
        return true;
    return theirs == ours && memcmp(e->words, words, ours * sizeof words[0]) == 0;
}

/* Up to eight hexadecimal digits off the front. */
static bool take_hex(struct km_str *s, uint32_t *ret_value)
{
    uint32_t v = 0;
    size_t n = 0;

    for (; n < s->n && n < 8; n++) {
        const char c = s->p[n];

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            v = v << 4 | (uint32_t)(c - 'A' + 10);
        else
            break;
    }
    *s = km_str_skip(*s, n);
    *ret_value = v;
    return n > 0;
}

/* The words of the line; the kernel pads the first with spaces. */
static bool take_word(struct km_str *rest, struct km_str *ret_word)
{
    do {
        if (!km_str_split(rest, ' ', ret_word))
            return false;
    } while (ret_word->n == 0);
    return true;
}

/* sl local remote state queues timer retransmits uid timeout inode */
static bool parse_line(struct km_str line, int family, struct entry *ret_entry)
{
    struct entry e = { .family = family };
    struct km_str word, words[10];
    uint32_t n;

    for (size_t i = 0; i < 10; i++)
        if (!take_word(&line, &words[i]))
            return false;
    word = words[1];
    for (int i = 0; i < (family == AF_INET6 ? 4 : 1); i++)
        if (!take_hex(&word, &e.words[i]))
            return false;
    word = km_str_skip(word, 1); /* ':' */
    if (!take_hex(&word, &n))
        return false;
    e.port = n;
    if (!take_hex(&words[3], &n) || km_str_u64(words[9], &e.inode) < 0)
        return false;
    e.state = n;
    *ret_entry = e;
    return true;
}

static void find_inodes(const char *path, int family, const union km_addr *addr,
                        struct found *found)
{
    const unsigned port =
        ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in.sin_port);
    FILE *file = fopen(path, "re");
    char line[512];

    if (!file)
        return;
    while (found->n < INODES && fgets(line, sizeof line, file)) {
        struct entry e;

        if (parse_line(km_str_c(line), family, &e) && e.state == TCP_LISTEN_STATE &&
            e.port == port && e.inode && collides(&e, addr))
            found->inodes[found->n++] = e.inode;
    }
    fclose(file);
}

static bool is_number(const char *s)
{
    uint64_t ignored;

    return km_str_u64(km_str_c(s), &ignored) == 0;
}

static bool is_wanted(struct km_str link, const struct found *found)
{
    const struct km_str before = KM_STR("socket:["), after = KM_STR("]");
    uint64_t inode;

    if (!km_str_starts(link, before) || !km_str_ends(link, after) ||
        km_str_u64(km_str_sub(link, before.n, link.n - before.n - after.n), &inode) < 0)
        return false;
    for (size_t i = 0; i < found->n; i++)
        if (found->inodes[i] == inode)
            return true;
    return false;
}

static bool process_holds(const char *pid, const struct found *found)
{
    char path[64], link[64];
    struct dirent *d;
    bool holds = false;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    dir = opendir(path);
    if (!dir)
        return false;
    while (!holds && (d = readdir(dir))) {
        const ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof link);

        holds = n > 0 && is_wanted(km_str(link, (size_t)n), found);
    }
    closedir(dir);
    return holds;
}

/* A process names itself; what is not plain text in it stays out of our message. */
static void describe(const char *pid, char *out, size_t cap)
{
    char path[64], name[32] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    file = fopen(path, "re");
    if (file && !fgets(name, sizeof name, file))
        name[0] = '\0';
    if (file)
        fclose(file);
    name[strcspn(name, "\n")] = '\0';
    for (char *p = name; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    snprintf(out, cap, "pid %s (%s)", pid, name);
}

bool km_port_holder(const union km_addr *addr, char *out, size_t cap)
{
    struct found found = { .n = 0 };
    struct dirent *d;
    bool seen = false;
    DIR *proc;

    find_inodes("/proc/net/tcp", AF_INET, addr, &found);
    find_inodes("/proc/net/tcp6", AF_INET6, addr, &found);
    proc = found.n ? opendir("/proc") : NULL;
    if (!proc)
        return false;
    while (!seen && (d = readdir(proc))) {
        if (!is_number(d->d_name) || !process_holds(d->d_name, &found))
            continue;
        describe(d->d_name, out, cap);
        seen = true;
    }
    closedir(proc);
    return seen;
}
