/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c - see mirror.h for the contract.
 *
 *     settled ──> is its deployment mirrored, by chance? ──> a question (call/ask.h) in the name of
 *                                                            the key "mirror", its answer unheard
 *
 * The same body goes to another model, whose name stands where a path would have it.  Nothing of
 * the client's goes along but that: no header, no key, no tag.  What offers tools is not mirrored,
 * for a provider may run some by itself, nor what names a file or an answer that is kept.
 *
 * The key is made when it is first needed.  Its hash is that of no secret.
 */
#include "gateway/llm/mirror.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "call/ask.h"
#include "gateway/llm/kind.h"
#include "gateway/llm/own.h"

#define SHADOW_BYTES ((size_t)64 * 1024)
#define NAME_MOST 200

static const uint8_t mirror_hash[32] = "kanmon: shadows of calls pay so"; /* no digest is this */

static const struct km_metric_row mirrored = {
    .name = "kanmon_mirrored_total",
    .type = KM_COUNTER,
    .help = "Shadows of calls: answered, failed, or dropped because as many as may were under way.",
    .labels = { "model", "silent_model", "outcome" }
};

struct mirrors { /* of a worker */
    struct km_worker *w;
    struct km_list open; /* of struct shadow */
    int64_t nopen;
    int writing; /* rows of its key that are on their way to the store */
    uint64_t rng;
    bool ending;
};

struct shadow {
    struct km_list link;
    struct mirrors *m;
    struct km_arena arena; /* holds it, its visit and its key */
    struct km_asker asker;
    struct km_question *question;
    struct km_str group, model;
    int status;
};

static void count(struct mirrors *m, struct km_str group, struct km_str model, const char *outcome)
{
    const struct km_str labels[3] = { group, model, km_str_c(outcome) };

    km_metric_count(m->w->gw->metrics, &mirrored, labels, m->w->index, 1);
}

/* --- who pays --- */

static const struct km_mirror_settings *settings_of(const struct km_snapshot *snap)
{
    return km_config_get(snap->config, &km_mirror_settings_table);
}

static void on_written(void *ctx, const struct km_err *err)
{
    struct mirrors *m = ctx;

    m->writing--;
    if (err)
        km_log_msg(m->w->gw->log, KM_LOG_WARN, "mirror.key",
                   "the key that pays for shadows of calls could not be kept: %s", err->text);
}

/* As the settings have it now; its spend stays. */
static struct km_key *write_key(struct mirrors *m, const struct km_mirror_settings *s, bool insert)
{
    const int64_t now = km_wall_us();
    char duration[32];
    struct km_key_row row = { .name = KM_STR("mirror"),
                              .alias = KM_STR("mirror"),
                              .metadata = KM_STR("{}"),
                              .extra = KM_STR("{}"),
                              .max_budget = s->budget,
                              .soft_budget = -1,
                              .budget_duration_s = s->duration_s,
                              .rpm = -1,
                              .tpm = -1,
                              .max_parallel = -1,
                              .temp_budget_increase = -1,
                              .created_us = now,
                              .updated_us = now,
                              .created_by = KM_STR("kanmon"),
                              .updated_by = KM_STR("kanmon") };
    const struct km_audit audit = { .actor = KM_STR("kanmon"),
                                    .action = KM_STR("key.generate"),
                                    .target = KM_STR("mirror"),
                                    .detail = KM_STR("{\"fields\":[\"max_budget\"]}") };

    memcpy(row.hash, mirror_hash, sizeof row.hash);
    if (s->duration_s) {
        (void)snprintf(duration, sizeof duration, "%llds", (long long)s->duration_s);
        row.budget_duration = km_str_c(duration);
        row.budget_reset_us = km_time_budget_reset(now, s->duration_s);
    }
    if (km_keys_put(m->w->gw->keys, &row, NULL) < 0)
        return NULL;
    m->writing++;
    km_store_key_put(m->w->gw->store, m->w->mailbox, &row, insert, &audit, on_written, m);
    return km_keys_find(m->w->gw->keys, mirror_hash);
}

static struct km_key *key_of(struct mirrors *m, const struct km_mirror_settings *s)
{
    struct km_key *key = km_keys_find(m->w->gw->keys, mirror_hash);

    if (key && key->row.max_budget == s->budget && key->row.budget_duration_s == s->duration_s)
        return key;
    km_key_unref(key);
    return write_key(m, s, key == NULL);
}

/* --- a shadow --- */

static void shadow_free(struct shadow *shadow)
{
    struct km_arena arena = shadow->arena;

    km_list_remove(&shadow->link);
    shadow->m->nopen--;
    km_arena_done(&arena);
}

static void on_head(void *ctx, int status, struct km_str lines)
{
    struct shadow *shadow = ctx;

    (void)lines;
    shadow->status = status;
}

static void on_done(void *ctx, const struct km_err *err)
{
    struct shadow *shadow = ctx;

    count(shadow->m, shadow->group, shadow->model,
          !err && shadow->status >= 200 && shadow->status < 300 ? "answered" : "failed");
    shadow_free(shadow);
}

static const struct km_answer_events events = { .on_head = on_head, .on_done = on_done };

static void drop_key(void *key)
{
    km_key_unref(key);
}

/* Whose log lines name the call it is the shadow of. */
static struct km_visit *visit_of(const struct km_call *call, struct shadow *shadow)
{
    struct km_visit *v = km_own_visit(call->w, &shadow->arena);

    if (!v)
        return NULL;
    v->id = call->visit->id;
    memcpy(v->id_text, call->visit->id_text, sizeof v->id_text);
    v->path_model = shadow->model;
    v->who.key = key_of(shadow->m, settings_of(v->view->snap));
    memcpy(v->who.who, "mirror", sizeof "mirror");
    return v->who.key && km_arena_defer(&shadow->arena, drop_key, v->who.key) == 0 ? v : NULL;
}

static void cast(struct mirrors *m, const struct km_call *call, struct km_str model)
{
    struct shadow *shadow;
    struct km_arena arena;
    struct km_err err;

    km_arena_init(&arena, SHADOW_BYTES, NULL);
    shadow = km_arena_zalloc(&arena, sizeof *shadow);
    if (!shadow) {
        km_arena_done(&arena);
        return;
    }
    shadow->m = m;
    shadow->arena = arena;
    km_list_init(&shadow->link);
    km_list_push(&m->open, &shadow->link);
    m->nopen++;
    shadow->group = km_arena_str(&shadow->arena, call->at->d->group);
    shadow->model = km_arena_str(&shadow->arena, km_str_sub(model, 0, NAME_MOST));
    shadow->asker.visit = visit_of(call, shadow);
    if (!shadow->asker.visit ||
        km_ask_call(
            &shadow->asker, &km_kind_mirror, call->api,
            &(struct km_question_args){ .path = call->request->path, .body = km_call_given(call) },
            &events, shadow, &shadow->question, &err) < 0) {
        count(m, shadow->group, shadow->model, "failed");
        shadow_free(shadow);
    }
}

/* What is asked for by a client, of a model, and may be asked twice. */
static bool may_be_mirrored(const struct km_call *call)
{
    return call->kind == &km_kind_llm && call->at->d && call->at->d->silent && !call->failed &&
           call->request && call->api && !call->visit->depth && !call->req.previous.n &&
           (call->api->dialect == KM_DIALECT_OPENAI ||
            call->api->dialect == KM_DIALECT_ANTHROPIC) &&
           !(call->req.names & KM_NAMES_FILES) &&
           km_str_find(km_call_given(call), KM_STR("\"tools\"")) == km_call_given(call).n;
}

static int run(struct km_call *call, struct km_err *err)
{
    const struct km_str_list *silent;
    struct mirrors *m;

    (void)err;
    if (!may_be_mirrored(call))
        return KM_HOOK_PASS;
    m = km_module_state(call->w->slots, &km_mirror_module);
    silent = call->at->d->silent;
    if (m->ending || call->w->draining || call->w->frozen ||
        (int64_t)(km_prng_next(&m->rng) % 100) >= call->at->d->silent_percent)
        return KM_HOOK_PASS;
    for (size_t i = 0; i < silent->n; i++)
        if (m->nopen >= settings_of(call->visit->view->snap)->concurrency)
            count(m, call->at->d->group, silent->v[i], "dropped");
        else
            cast(m, call, silent->v[i]);
    return KM_HOOK_PASS;
}

const struct km_call_hook km_mirror_hook = { .name = "mirror", .run = run };

/* --- a configuration, and a worker's life --- */

static int check(struct km_snapshot *s, const struct km_snapshot_args *args, struct km_diags *diags,
                 void **ret_state, struct km_err *err)
{
    const bool paid = settings_of(s)->budget >= 0;

    (void)args;
    (void)ret_state;
    for (size_t i = 0; i < km_models_count(s->models); i++) {
        const struct km_deployment *d = km_models_at(s->models, i);
        struct km_model_match match;

        for (size_t k = 0; d->silent && k < d->silent->n; k++)
            if (km_models_find(s->models, d->silent->v[k], &match, NULL) < 0)
                km_diag_add(diags, KM_DIAG_WARNING, "W0320", NULL, NULL,
                            "model '%.*s' is mirrored to '%.*s', which is no model here",
                            KM_STR_ARG(d->group), KM_STR_ARG(d->silent->v[k]));
        if (d->silent && !paid)
            return km_fail(err, KM_E_CONFIG,
                           "model '%.*s' has a silent_model, and nothing says what its shadows may "
                           "cost: set kanmon_settings.mirror.budget (USD).",
                           KM_STR_ARG(d->group));
    }
    return 0;
}

static int mirrors_init(struct km_worker *w, void **ret_state, struct km_err *err)
{
    struct mirrors *m = calloc(1, sizeof *m);

    if (!m)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    m->w = w;
    m->rng = w->rng ^ UINT64_C(0x9e3779b97f4a7c15);
    km_list_init(&m->open);
    *ret_state = m;
    return 0;
}

static void mirrors_end(struct km_worker *w, void *state)
{
    struct mirrors *m = state;

    (void)w;
    m->ending = true;
    KM_LIST_EACH(node, &m->open)
    {
        struct shadow *shadow = KM_CONTAINER(node, struct shadow, link);

        km_question_cancel(shadow->question);
        shadow_free(shadow);
    }
}

static bool mirrors_quiet(struct km_worker *w, void *state)
{
    const struct mirrors *m = state;

    (void)w;
    return m->writing == 0;
}

static const char place KM_MODULE_PLACE;

const struct km_module km_mirror_module = {
    .name = "shadows of calls",
    .place = &place,
    .snapshot_init = check,
    .worker_init = mirrors_init,
    .worker_end = mirrors_end,
    .worker_quiet = mirrors_quiet,
    .worker_free = free,
};
