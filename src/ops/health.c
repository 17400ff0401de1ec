/* SPDX-License-Identifier: Apache-2.0 */
/* health.c - see health.h.
 *
 * Liveness says only that the loop turns.  Readiness says whether calls would be served: the
 * store can be written and the gateway is not on its way out.  /health tells what is known of
 * every deployment from the calls that were made (its breaker) and, where they are on, from health
 * checks in the background; it makes none itself: a probe that costs tokens is a bill.
 */
#include "ops/health.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "door/reply.h"
#include "gateway/llm/probe.h"
#include "ops/breakers.h"
#include "ops/budgets.h"
#include "ops/targets.h"

#define METRICS_BYTES (32 * 1024 * 1024)

static void liveness(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_reply_json(visit, 200, KM_STR("\"I'm alive!\""));
}

static void readiness(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_store_health store;

    (void)x;
    (void)match;
    km_store_health(v->w->gw->store, &store);
    if (store.healthy && !v->w->draining) {
        km_reply_json(v, 200, KM_STR("{\"status\":\"healthy\",\"db\":\"connected\"}"));
    } else if (store.healthy) {
        km_reply_json(v, 503, KM_STR("{\"status\":\"unhealthy\",\"detail\":\"shutting down\"}"));
    } else { /* for anybody: no path of this machine */
        km_buf_str(&out, KM_STR("{\"status\":\"unhealthy\",\"db\":\"Not connected\",\"detail\":"));
        km_buf_json(&out, km_str_c(store.reason));
        km_buf_byte(&out, '}');
        km_reply_json(v, 503, km_buf_view(&out));
    }
}

/* Where it is and why it fails is for those who run the gateway. */
static void deployment(const struct km_deployment *d, const char *state, bool whole, bool details,
                       struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"model\":"));
    km_buf_json(out, d->model);
    if (!details) {
        km_buf_byte(out, '}');
        return;
    }
    km_buf_str(out, KM_STR(",\"model_name\":"));
    km_buf_json(out, d->group);
    km_buf_str(out, KM_STR(",\"model_id\":"));
    km_buf_json(out, d->id);
    if (whole) {
        km_buf_str(out, KM_STR(",\"api_base\":"));
        km_buf_json(out, d->api_base);
    }
    km_buf_printf(out, ",\"breaker\":\"%s\"", state);
    if (d->checked.at_ms)
        km_buf_printf(out, ",\"health_check\":{\"verdict\":\"%s\",\"status\":%d}",
                      km_probing_word(km_probing_verdict(&d->checked)), (int)d->checked.status);
    if (whole && d->unavailable.n) {
        km_buf_str(out, KM_STR(",\"error\":"));
        km_buf_json(out, d->unavailable);
    }
    km_buf_byte(out, '}');
}

static void health(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    const struct km_models *models = v->view->snap->models;
    const struct km_probe_settings *checks =
        km_config_get(v->view->snap->config, &km_probe_settings_table);
    uint64_t now = km_loop_now_ms(v->w->loop);
    struct km_buf good KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024 * 1024);
    struct km_buf bad KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024 * 1024);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(20 * 1024 * 1024);
    size_t ngood = 0, nbad = 0;

    (void)x;
    (void)match;
    for (size_t i = 0; i < km_models_count(models); i++) {
        const struct km_deployment *d = km_models_at(models, i);
        const char *state = km_breaker_state_name(km_breaker_state(&d->breaker, now));
        bool ok =
            !d->unavailable.n && state[0] == 'c' && km_probing_verdict(&d->checked) != KM_PROBE_ILL;
        struct km_buf *list = ok ? &good : &bad;

        if (v->who.key &&
            km_key_grants_model(v->who.key, d->group, KM_STR_NONE, NULL) != KM_GRANTED)
            continue;
        if (list->n)
            km_buf_byte(list, ',');
        deployment(d, state, !v->who.key, checks->details, list);
        *(ok ? &ngood : &nbad) += 1;
    }
    km_buf_str(&out, KM_STR("{\"healthy_endpoints\":["));
    km_buf_str(&out, km_buf_view(&good));
    km_buf_str(&out, KM_STR("],\"unhealthy_endpoints\":["));
    km_buf_str(&out, km_buf_view(&bad));
    km_buf_printf(&out, "],\"healthy_count\":%zu,\"unhealthy_count\":%zu}", ngood, nbad);
    km_reply_json(v, 200, km_buf_view(&out));
}

/* Descriptors open right now; the one used to count is not counted. */
static long long open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long long n = -3; /* ".", "..", itself */

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void usage_metrics(struct km_buf *out)
{
    struct rusage use = { 0 };
    struct rlimit fds = { 0 };

    (void)getrusage(RUSAGE_SELF, &use);
    (void)getrlimit(RLIMIT_NOFILE, &fds);
    km_buf_str(out, KM_STR("# HELP process_cpu_seconds_total CPU time, user and system.\n"
                           "# TYPE process_cpu_seconds_total counter\n"
                           "process_cpu_seconds_total "));
    km_buf_decimal(out,
                   (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * INT64_C(1000000) +
                       use.ru_utime.tv_usec + use.ru_stime.tv_usec,
                   6);
    km_buf_printf(out,
                  "\n# HELP process_open_fds Open descriptors.\n"
                  "# TYPE process_open_fds gauge\n"
                  "process_open_fds %lld\n"
                  "# HELP process_max_fds Most open descriptors.\n"
                  "# TYPE process_max_fds gauge\n"
                  "process_max_fds %llu\n",
                  open_fds(), (unsigned long long)fds.rlim_cur);
}

static void store_metrics(const struct km_gateway *gw, struct km_buf *out)
{
    static const char *const faults[] = { "unspillable", "unwritable", "lost", "damaged",
                                          "spill_damaged" };
    struct km_store_health h;

    km_store_health(gw->store, &h);
    km_buf_printf(out,
                  "# HELP kanmon_store_healthy 1 while the store can be written.\n"
                  "# TYPE kanmon_store_healthy gauge\n"
                  "kanmon_store_healthy %d\n"
                  "# HELP kanmon_store_queued Ledger entries waiting for the writer.\n"
                  "# TYPE kanmon_store_queued gauge\n"
                  "kanmon_store_queued %zu\n"
                  "# HELP kanmon_store_spilled_bytes Acknowledged entries outside the store.\n"
                  "# TYPE kanmon_store_spilled_bytes gauge\n"
                  "kanmon_store_spilled_bytes %llu\n"
                  "# HELP kanmon_store_refused_total Calls refused for the store's sake.\n"
                  "# TYPE kanmon_store_refused_total counter\n"
                  "kanmon_store_refused_total %llu\n"
                  "# HELP kanmon_store_fault 1 for what is wrong with the store.\n"
                  "# TYPE kanmon_store_fault gauge\n",
                  h.healthy, km_store_queued(gw->store), (unsigned long long)h.spilled_bytes,
                  (unsigned long long)h.refused);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        km_buf_printf(out, "kanmon_store_fault{fault=\"%s\"} %d\n", faults[i],
                      strcmp(h.name, faults[i]) == 0);
}

/* A line of the process itself, read when it is asked for. */
static void process_metrics(const struct km_gateway *gw, struct km_buf *out)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long long pages = 0, resident = 0;

    if (f && fscanf(f, "%lld %lld", &pages, &resident) == 2)
        km_buf_printf(out,
                      "# HELP process_resident_memory_bytes Resident memory.\n"
                      "# TYPE process_resident_memory_bytes gauge\n"
                      "process_resident_memory_bytes %lld\n",
                      resident * (long long)sysconf(_SC_PAGESIZE));
    if (f)
        fclose(f);
    km_buf_printf(out,
                  "# HELP process_start_time_seconds Start of the gateway.\n"
                  "# TYPE process_start_time_seconds gauge\n"
                  "process_start_time_seconds %lld\n"
                  "# HELP kanmon_build_info The program that answers.\n"
                  "# TYPE kanmon_build_info gauge\n"
                  "kanmon_build_info{version=\"%s\"} 1\n"
                  "# HELP kanmon_connections Open client connections.\n"
                  "# TYPE kanmon_connections gauge\n"
                  "kanmon_connections %lld\n"
                  "# HELP kanmon_buffered_body_bytes Bodies held in memory.\n"
                  "# TYPE kanmon_buffered_body_bytes gauge\n"
                  "kanmon_buffered_body_bytes %lld\n",
                  (long long)(gw->started_us / 1000000), KM_VERSION, (long long)gw->connections,
                  (long long)gw->bodies.used);
    store_metrics(gw, out);
}

static void log_metrics(const struct km_gateway *gw, struct km_buf *out)
{
    km_buf_printf(out,
                  "# HELP kanmon_log_dropped_total Lines of the log that its reader was too slow "
                  "for, or that could not be written.\n"
                  "# TYPE kanmon_log_dropped_total counter\n"
                  "kanmon_log_dropped_total %llu\n",
                  (unsigned long long)km_log_dropped(gw->log));
}

static void metrics(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(METRICS_BYTES);

    (void)x;
    (void)match;
    km_metrics_text(v->w->gw->metrics, &out);
    process_metrics(v->w->gw, &out);
    usage_metrics(&out);
    log_metrics(v->w->gw, &out);
    km_breakers_metrics(v->view->snap->models, km_loop_now_ms(v->w->loop), &out);
    km_targets_metrics(v->w->gw->accounts, &out);
    km_budgets_metrics(v->w->gw->budget, km_wall_us(), &out);
    km_reply_text(v, 200, KM_STR("text/plain; version=0.0.4; charset=utf-8"), km_buf_view(&out));
}

static const struct km_route rows[] = {
    { "GET", "/health/liveliness", liveness, KM_AUTH_PUBLIC, NULL },
    { "GET", "/health/liveness", liveness, KM_AUTH_PUBLIC, NULL },
    { "GET", "/health/readiness", readiness, KM_AUTH_PUBLIC, NULL },
    { "GET", "/health", health, KM_AUTH_KEY, NULL },
    { "GET", "/metrics", metrics, KM_AUTH_METRICS, NULL },
};

const struct km_route_rows km_health_routes = { rows, sizeof rows / sizeof rows[0] };
