/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - the file a stdio server's standard error goes to, bounded.
 *
 * Over max bytes the file becomes "<path>.1" and a new one begins; what comes faster than
 * KM_SERVER_LOG_RATE is dropped and counted.  Control bytes become '?', since people look at it
 * in a terminal.  A line is written when it is whole, without credentials, or when it is over
 * 4 KiB.  Several processes of one server write to one file.  The writer's thread opens and writes
 * it (base/log_writer.h), and opens it again after km_log_writer_reopen().
 */
#ifndef KM_MCP_SERVER_LOG_H
#define KM_MCP_SERVER_LOG_H

#include "base/buf.h"
#include "base/log_writer.h"

#define KM_SERVER_LOG_RATE ((uint64_t)1024 * 1024) /* bytes a second */

#define KM_SERVER_LOG_QUEUE ((size_t)1024 * 1024) /* of all servers, waiting for the disk */
#define KM_SERVER_LOG_BLOCK ((size_t)4096) /* no more than the smallest file may have */

struct km_veil;

struct km_server_log {
    struct km_log_writer *writer;
    struct km_log_outlet *file; /* NULL: nothing is written */
    size_t most; /* to be written at once */
    long pid;
    uint64_t second, written, dropped;
    bool inside; /* a line was begun */
    struct km_veil *veil; /* credentials are cut out of lines (base/veil.h); NULL: they are not */
    struct km_buf held; /* a line that has no end yet */
};

/* path NULL: what comes is dropped.  Its folder is made.  The writer is one of
 * KM_SERVER_LOG_BLOCK. */
void km_server_log_init(struct km_server_log *log, struct km_log_writer *writer, const char *path,
                        int64_t max, struct km_veil *veil);
void km_server_log_done(struct km_server_log *log);
void km_server_log_write(struct km_server_log *log, struct km_str bytes);
/* A line of kanmon's own. */
void km_server_log_say(struct km_server_log *log, const char *fmt, ...) KM_PRINTF(2, 3);

#endif
