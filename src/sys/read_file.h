/* SPDX-License-Identifier: Apache-2.0 */
/* read_file.h - a whole small file in memory: configuration, credentials, what a command is given.
 *
 * It blocks, so it is for starts, commands and threads that may wait; a worker reads only files
 * of this machine that are small.  The text of an error is the reason alone ("Permission denied"),
 * because whoever reads a file knows best what to call it.
 */
#ifndef KM_SYS_READ_FILE_H
#define KM_SYS_READ_FILE_H

#include "base/buf.h"
#include "base/err.h"

enum km_file_kind {
    KM_FILE_ANY, /* a pipe or a device too: waits for whoever writes it */
    KM_FILE_REGULAR, /* nothing else, and never waits */
};

/* Appends the whole file to out, whose limit is the most that is read.  KM_E_NOT_FOUND: there is
 * none; KM_E_INVALID: a directory, or not of that kind; KM_E_LIMIT: over the limit;
 * KM_E_SYSTEM: it cannot be opened or read.  Then what was read of it may be in out. */
int km_file_read(const char *path, enum km_file_kind kind, struct km_buf *out,
                 struct km_err *err) KM_MUST_USE;
/* The same of what is open already, to its end; fd stays the caller's. */
int km_file_read_fd(int fd, enum km_file_kind kind, struct km_buf *out,
                    struct km_err *err) KM_MUST_USE;
/* Whether a library that opens by path may be given this one: KM_E_INVALID if there is something
 * else than a regular file, which might be waited for.  What is not there is left to it. */
int km_file_check(const char *path, struct km_err *err) KM_MUST_USE;

#endif
