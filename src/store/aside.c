/* SPDX-License-Identifier: Apache-2.0 */
/* aside.c - see aside.h. */
#include "store/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/time.h"

#define TRIES 1000

/* Fails with EEXIST rather than replace a file. */
static int move(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS) /* some file systems cannot */
        return -1;
    return link(from, to) == 0 ? unlink(from) : -1;
}

int km_aside(const char *from, const char *base, const char *kind, char ret_name[KM_PLACE_PATH],
             struct km_err *err)
{
    long long now = km_wall_us() / 1000000;
    char more[16] = "";

    for (int i = 1; i <= TRIES; i++) {
        (void)snprintf(ret_name, KM_PLACE_PATH, "%.*s.%.12s-%lld%s", KM_PLACE_PATH - 64, base, kind,
                       now, more);
        if (move(from, ret_name) == 0)
            return 0;
        if (errno != EEXIST)
            break;
        (void)snprintf(more, sizeof more, "-%d", i);
    }
    return km_fail_errno(err, errno, "cannot move '%s' aside", from);
}
