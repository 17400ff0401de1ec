/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - structured lines: time, level, event, fields.
 *
 * A line is built with typed fields and handed over whole; values are escaped (control
 * bytes, bidi marks), so input cannot forge a line.  Format is JSON or logfmt-like text.
 * Lines are written by a thread of the log's own (log_writer.h): nobody who logs waits for a
 * disk, a pipe or a terminal.  WARN and above are written at once, others within 100 ms; what a
 * stalled reader leaves no room for is dropped, counted, and reported as `log.lost`.
 *
 *     struct km_line l;
 *     if (km_log_begin(log, &l, KM_LOG_INFO, "call")) {
 *         km_line_str(&l, "model", model);
 *         km_line_u64(&l, "prompt_tokens", n);
 *         km_log_end(&l);
 *     }
 *
 * Thread: a struct km_log may be used from any thread.  A thread that logs often has a buffer,
 * made by km_log_thread_init and given up by km_log_thread_done; one without makes and frees a
 * buffer for each line.
 */
#ifndef KM_BASE_LOG_H
#define KM_BASE_LOG_H

#include "base/buf.h"

enum km_log_level { KM_LOG_DEBUG, KM_LOG_INFO, KM_LOG_WARN, KM_LOG_ERROR };
enum km_log_format { KM_LOG_TEXT, KM_LOG_JSON };

struct km_log;
struct km_veil;

/* Writes to fd, which stays the caller's.  NULL when out of memory. */
struct km_log *km_log_new(int fd, enum km_log_level level, enum km_log_format format);
/* What was logged is written, for at most a second where its reader stands still. */
struct km_log *km_log_free(struct km_log *log);
/* May change at run time, from any thread. */
void km_log_set_level(struct km_log *log, enum km_log_level level);
void km_log_set_format(struct km_log *log, enum km_log_format format);
/* What follows goes to fd, which is the log's from now on.  The one before may be used for a
 * moment yet; also what waits for its reader goes to the new one. */
void km_log_set_fd(struct km_log *log, int fd);

/* What is cut out of lines of WARN and above and of DEBUG, and out of fields that hold somebody
 * else's words (`why`, `msg`).  Once, before any thread writes; it outlives the log. */
void km_log_set_veil(struct km_log *log, struct km_veil *veil);
struct km_veil *km_log_veil(const struct km_log *log); /* NULL: none, or there is no log */

int km_log_thread_init(struct km_log *log, struct km_err *err) KM_MUST_USE;
void km_log_thread_done(struct km_log *log);
/* Waits, for at most most_ms, until what was logged is written; false: it is not.  Not for a
 * thread that serves. */
bool km_log_flush(struct km_log *log, uint64_t most_ms);
uint64_t km_log_dropped(const struct km_log *log); /* lines, ever */

struct km_line {
    struct km_log *log;
    struct km_buf *out;
    enum km_log_level level;
    enum km_log_format format; /* as it was when the line began */
};

/* false: the level is off, nothing to do.  `event` is a static, stable name. */
bool km_log_begin(struct km_log *log, struct km_line *l, enum km_log_level level,
                  const char *event);
void km_line_put_str(struct km_line *l, struct km_str name, struct km_str value);
void km_line_put_u64(struct km_line *l, struct km_str name, uint64_t value);
void km_line_put_i64(struct km_line *l, struct km_str name, int64_t value);
void km_line_put_decimal(struct km_line *l, struct km_str name, int64_t value, int scale);

/* --- by name; here, so that a literal's length costs nothing --- */

static inline void km_line_str(struct km_line *l, const char *name, struct km_str value)
{
    km_line_put_str(l, km_str_c(name), value);
}

static inline void km_line_cstr(struct km_line *l, const char *name, const char *value)
{
    km_line_put_str(l, km_str_c(name), km_str_c(value));
}

static inline void km_line_u64(struct km_line *l, const char *name, uint64_t value)
{
    km_line_put_u64(l, km_str_c(name), value);
}

static inline void km_line_i64(struct km_line *l, const char *name, int64_t value)
{
    km_line_put_i64(l, km_str_c(name), value);
}

/* value / 10^scale as a decimal number without trailing zeros (money, milliseconds). */
static inline void km_line_decimal(struct km_line *l, const char *name, int64_t value, int scale)
{
    km_line_put_decimal(l, km_str_c(name), value, scale);
}

void km_log_end(struct km_line *l);

/* One line with a message, for the rare places that need no more.  log may be NULL. */
void km_log_msg(struct km_log *log, enum km_log_level level, const char *event, const char *fmt,
                ...) KM_PRINTF(4, 5);

#endif
