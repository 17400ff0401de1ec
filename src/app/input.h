/* SPDX-License-Identifier: Apache-2.0 */
/* input.h - standard input, line by line, on a loop.
 *
 * A thread reads, because standard input may be a file, a pipe or a terminal, and of these only
 * some can be watched.  It stops reading while KM_INPUT_HELD bytes wait for the loop.
 */
#ifndef KM_APP_INPUT_H
#define KM_APP_INPUT_H

#include "base/buf.h"
#include "sys/mailbox.h"

#define KM_INPUT_LINE ((size_t)10 * 1024 * 1024)
#define KM_INPUT_HELD ((size_t)32 * 1024 * 1024)

struct km_input;

struct km_input_events {
    void (*on_line)(void *ctx, struct km_str line); /* without its end; dies with the callback */
    void (*on_long_line)(void *ctx); /* one over KM_INPUT_LINE, which is passed over */
    void (*on_end)(void *ctx, bool failed); /* last */
};

/* Reads fd from now on; callbacks on the mailbox's loop. */
struct km_input *km_input_new(int fd, struct km_mailbox *mailbox,
                              const struct km_input_events *events, void *ctx, struct km_err *err);
/* Stops reading; the thread is gone when this returns. */
void km_input_stop(struct km_input *l);
/* After the mailbox was freed, which hands over what was read before the stop. */
struct km_input *km_input_free(struct km_input *l);

#endif
