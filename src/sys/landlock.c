/* SPDX-License-Identifier: Apache-2.0 */
/* landlock.c - see landlock.h.
 *
 * A ruleset names all rights it deals with ("handled"); what is handled and not allowed by a rule
 * on the path or a folder above it is refused.  A right the kernel does not know must not be named,
 * so each version adds a mask:
 *
 *     version   1        2       3          5            6
 *     rights    files    refer   truncate   ioctl_dev    scope: signals, abstract sockets
 *
 * A rule on a file may name the rights of files alone.  Constants and structs are the kernel's
 * interface, written here because the headers of Debian 12 stop at version 2.
 */
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXECUTE (UINT64_C(1) << 0)
#define WRITE_FILE (UINT64_C(1) << 1)
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)
#define OF_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define REFER (UINT64_C(1) << 13)
#define TRUNCATE (UINT64_C(1) << 14)
#define IOCTL_DEV (UINT64_C(1) << 15)
#define SCOPES UINT64_C(3) /* abstract Unix sockets, signals */
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)
#define READING (EXECUTE | READ_FILE | READ_DIR)

#define GET_VERSION 1u /* flag of landlock_create_ruleset */
#define PATH_BENEATH 1 /* kind of a rule */

struct ruleset {
    uint64_t files;
    uint64_t network; /* not used: seccomp has it */
    uint64_t scopes;
};

struct beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static uint64_t handled(int version)
{
    return OF_VERSION_1 | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) |
           (version >= 5 ? IOCTL_DEV : 0);
}

int km_landlock_version(void)
{
    const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);

    return version < 0 ? 0 : (int)version;
}

int km_landlock_new(int version)
{
    const struct ruleset set = { .files = handled(version),
                                 .scopes = version >= KM_LANDLOCK_SIGNALS ? SCOPES : 0 };
    /* An older kernel takes a shorter struct, or a longer one whose rest is zero. */
    return (int)syscall(SYS_landlock_create_ruleset, &set, sizeof set, 0);
}

int km_landlock_allow(int rules, int version, const char *path, bool write)
{
    struct beneath rule = { .allowed = write ? handled(version) : READING };
    struct stat st;
    long r;

    rule.parent = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -1;
    r = fstat(rule.parent, &st);
    if (r == 0 && !S_ISDIR(st.st_mode))
        rule.allowed &= OF_FILES;
    rule.allowed &= handled(version);
    if (r == 0)
        r = syscall(SYS_landlock_add_rule, rules, PATH_BENEATH, &rule, 0);
    close(rule.parent);
    return r < 0 ? -1 : 0;
}

int km_landlock_enter(int rules)
{
    long r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

    if (r == 0)
        r = syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
    return r < 0 ? -1 : 0;
}
