/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c - the rows of kanmon_settings.limits that http/ owns, and the bound on bodies.
 *
 * The bound is one counter for all loops: each exchange takes from it what its body has really
 * filled, in steps, and gives it back with its end.
 *
 * Names say what is bounded; the reference and the schema are printed from here.  The bound on
 * all buffered bodies is one number for the process, taken and given back by every worker;
 * without a setting it is a quarter of the memory there is, the cgroup's where that is less.
 */
#include <stdio.h>
#include <unistd.h>

#include "http/head.h"
#include "http/server.h"

#define ROW(field_name, kind, field, default_text, low, high, text)                                \
    {                                                                                              \
        .name = field_name, .type = kind, .offset = offsetof(struct km_http_settings, field),      \
        .def = default_text, .min = low, .max = high, .help = text                                 \
    }

static const struct km_setting rows[] = {
    ROW("header_bytes", KM_SET_BYTES, header_bytes, "32KiB", 1024, 1 << 20,
        "Largest header of a request, request line included; over it: 431."),
    ROW("header_fields", KM_SET_INT, header_fields, "100", 8, KM_HEAD_FIELDS_MAX,
        "Most header fields of a request; over it: 431."),
    ROW("line_bytes", KM_SET_BYTES, line_bytes, "8KiB", 256, 1 << 20,
        "Longest request line (over it: 414) and longest header line (431)."),
    ROW("body_bytes", KM_SET_BYTES, body_bytes, "32MiB", 1024, INT64_C(1) << 32,
        "Largest body of a request; over it: 413, before it is read where its length is known."),
    ROW("upload_bytes", KM_SET_BYTES, upload_bytes, "512MiB", 1024, INT64_C(1) << 40,
        "Largest multipart form (audio, images, files) where it is passed on as it comes; over "
        "it: 413."),
    ROW("upload_ahead_bytes", KM_SET_BYTES, upload_ahead_bytes, "4MiB", 4096, 64 << 20,
        "What of such a form is read before its upstream is chosen: `model` and the other fields "
        "must stand in it. A form that fits is sent again when an upstream fails."),
    ROW("upload_spool_bytes", KM_SET_BYTES, upload_spool_bytes, "64MiB", 0, INT64_C(1) << 32,
        "A form whose `model` comes behind a file that is longer than that is read into a "
        "temporary file without a name (in state_dir), up to this much; 0: it is refused."),
    ROW("header_timeout", KM_SET_MS, header_ms, "10s", 100, 600000,
        "Time from the first byte of a request to its whole header; then 408."),
    ROW("body_min_rate", KM_SET_BYTES, body_min_rate, "1KiB", 0, 1 << 30,
        "Bytes a second a body must arrive at, after as long as header_timeout; slower: 408. 0 "
        "allows pauses of idle_timeout."),
    ROW("idle_timeout", KM_SET_MS, idle_ms, "75s", 100, 3600000,
        "A client connection without a request is closed after this."),
    ROW("write_timeout", KM_SET_MS, write_ms, "60s", 100, 3600000,
        "A client that takes nothing of what waits for it for this long is cut off; so is an "
        "upstream that takes nothing of a form."),
    ROW("buffered_bytes", KM_SET_BYTES, buffered_bytes, "0", 0, INT64_MAX,
        "Request bodies in memory, all together; over it: 503. 0 is 25 % of the memory."),
    ROW("stream_high_water", KM_SET_BYTES, stream_high_water, "256KiB", 4096, 64 << 20,
        "Bytes waiting for one client at which its source is paused."),
    ROW("connections", KM_SET_INT, connections, "20000", 1, 10000000,
        "Open client connections of the process; over it: 503 with Retry-After."),
    { .name = NULL },
};

const struct km_settings_table km_http_settings_table = {
    .section = "kanmon_settings.limits",
    .rows = rows,
    .size = sizeof(struct km_http_settings),
    .extra = SIZE_MAX,
    .flags = KM_SET_SAFETY,
};

bool km_body_budget_take(struct km_body_budget *b, int64_t bytes)
{
    if (atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed) + bytes <= b->limit)
        return true;
    km_body_budget_give(b, bytes);
    return false;
}

void km_body_budget_give(struct km_body_budget *b, int64_t bytes)
{
    atomic_fetch_sub_explicit(&b->used, bytes, memory_order_relaxed);
}

/* What a container may use, when that is less than the machine has. */
static int64_t cgroup_bytes(void)
{
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
    long long bytes = 0;

    if (!f)
        return INT64_MAX;
    if (fscanf(f, "%lld", &bytes) != 1) /* "max" */
        bytes = 0;
    fclose(f);
    return bytes > 0 ? bytes : INT64_MAX;
}

int64_t km_body_budget_limit(const struct km_http_settings *settings)
{
    int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    int64_t machine = pages > 0 && page > 0 ? pages * page : INT64_C(1) << 30;
    int64_t group = cgroup_bytes();

    if (settings->buffered_bytes > 0)
        return settings->buffered_bytes;
    return (group < machine ? group : machine) / 4;
}
