/* SPDX-License-Identifier: Apache-2.0 */
/* models.c - LiteLLM's management of models, for the administrator.
 *
 *     POST  /model/new           {"model_name", "litellm_params", "model_info"}: the row
 *     POST  /model/update        the same, "model_info": {"id": ...}: what is said takes the place
 *     PATCH /model/{id}/update   likewise
 *     POST  /model/delete        {"id": ...}
 *
 *     worker: its turn ──> main: an entry of model_list, a reload ──> writer: row and audit
 *        answer <── a round by all workers <──────────────────────────────┘
 *
 * The reload comes first: what does not load is never stored.  If it cannot be stored then, it is
 * taken back.  One change at a time, from what it reads to its answer (km_admin_begin_alone), so
 * that none is lost, and what is taken back is nobody else's.  The round is there for the answer to
 * be true: when it goes out no worker knows the models as they were.
 *
 * A model of the configuration file is that file's: it is neither replaced nor removed here.
 */
#include "admin/models.h"

#include <stdlib.h>
#include <string.h>

#include "admin/account_inside.h"
#include "admin/model_entry.h"
#include "base/crypto.h"
#include "config/tree.h"
#include "host/added.h"
#include "host/round.h"
#include "http/json_out.h"
#include "store/models.h"

#define BODY_BYTES ((int64_t)KM_MODEL_BYTES)
#define ARENA_BYTES (64 * KM_MODEL_BYTES)

/* Of a route: what it does, and what it answers for an id that there is not. */
struct verb {
    const char *action; /* for the audit log */
    const char *unknown[2]; /* LiteLLM's words around the id */
    int unknown_code;
    bool makes, removes;
};

struct change {
    struct km_round round; /* first: its message is ours, to the main thread as well */
    struct km_admin *a; /* it waits; its arena is its worker's */
    struct km_arena arena; /* ours: used by whoever has the message */
    const struct verb *verb;
    struct km_str actor;
    struct km_str id;
    const struct km_json *body;
    struct km_model_said said;
    struct km_str before; /* its entry until now; empty: there was none */
    struct km_str after; /* empty: it is removed */
    bool outside; /* it came over the network */
    struct km_err err;
};

/* --- back at the worker --- */

static void change_free(struct change *c)
{
    km_wipe((char *)(uintptr_t)c->before.p, c->before.n);
    km_wipe((char *)(uintptr_t)c->after.p, c->after.n);
    km_arena_done(&c->arena);
    free(c);
}

static void answer(struct km_round *round)
{
    struct change *c = KM_CONTAINER(round, struct change, round);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * KM_MODEL_BYTES);
    struct km_json_out o;

    if (c->verb->removes) {
        km_json_out_init(&o, &b);
        km_out_open(&o, '{');
        km_out_member(&o, "message",
                      km_arena_cat(&c->arena,
                                   (struct km_str[]){ KM_STR("Model: "), c->id,
                                                      KM_STR(" deleted successfully") },
                                   3));
        km_out_close(&o, '}');
    } else {
        km_model_entry_show(&c->arena, c->after, &b);
    }
    km_admin_json(c->a, 200, km_buf_view(&b));
    change_free(c);
}

static void on_refused(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;

    (void)owner;
    km_admin_error(c->a, &c->err);
    change_free(c);
}

static void refuse(struct change *c)
{
    c->round.msg.run = on_refused;
    km_mailbox_post(c->a->v->w->mailbox, &c->round.msg);
}

/* Main thread. */
static void take_back(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;
    struct km_gateway *gw = owner;
    struct km_err why = { 0 };

    if (km_gateway_change_added(gw, gw->models_added, c->id, c->before, &why) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, km_added_models.event, "'%.*s' was not taken back: %s",
                   KM_STR_ARG(c->id), why.text);
    refuse(c);
}

static void on_stored(void *ctx, const struct km_err *err)
{
    struct change *c = ctx;
    struct km_worker *w = c->a->v->w;

    if (!err) {
        km_round_begin(&c->round, w->gw, w->mailbox, answer);
        return;
    }
    c->err = *err;
    c->round.msg.run = take_back;
    km_mailbox_post(w->gw->main_mailbox, &c->round.msg);
}

/* --- main thread --- */

/* KM_E_INVALID where the file has it: says where. */
static int check_file(const struct km_gateway *gw, const struct change *c, struct km_err *err)
{
    const struct km_deployment *d = km_models_by_id(gw->current->models, c->id);

    if (!d || d->stored)
        return 0;
    return km_fail_param(
        err, KM_E_INVALID, "model_info.id",
        "Model '%.*s' is in the configuration file, %.*s:%u: change it there, then "
        "`kanmon reload`.",
        KM_STR_ARG(c->id), KM_STR_ARG(d->at ? d->at->file : KM_STR("(none)")),
        d->at ? d->at->line : 0);
}

static int find(const struct km_gateway *gw, struct change *c, struct km_err *err)
{
    int r;

    c->before = km_arena_str(&c->arena, km_added_get(gw->models_added, c->id));
    if (c->before.n)
        return c->verb->makes ? km_fail_param(err, KM_E_INVALID, "model_info.id",
                                              "Model '%.*s' already exists.", KM_STR_ARG(c->id))
                              : 0;
    r = check_file(gw, c, err);
    if (r < 0 || c->verb->makes)
        return r;
    return km_fail(err, c->verb->unknown_code, "%s%.*s%s", c->verb->unknown[0], KM_STR_ARG(c->id),
                   c->verb->unknown[1]);
}

static int write_entry(struct change *c, struct km_err *err)
{
    const struct km_model_stamp stamp = { .id = c->id, .by = c->actor, .now_us = km_wall_us() };
    int r = km_model_entry_write(&c->arena, c->body, &c->said, c->before, &stamp, &c->after, err);

    if (r == 0)
        r = km_model_entry_addresses(&c->arena, c->after, err);
    return r == 0 && c->outside ? km_model_entry_outside(&c->arena, c->after, err) : r;
}

/* "model_list[7].litellm_params.rpm: ..." is of a list that the caller never saw. */
static void cut_place(struct km_err *err)
{
    const struct km_str text = km_str_c(err->text);
    size_t at = km_str_find(text, KM_STR("model_list[")), end;

    if (at == text.n)
        return;
    end = at + km_str_find(km_str_skip(text, at), KM_STR("]."));
    if (end < text.n)
        memmove(err->text + at, err->text + end + 2, text.n - end - 1);
}

static int make(struct km_gateway *gw, struct change *c, struct km_err *err)
{
    int r = find(gw, c, err);

    if (r == 0 && !c->verb->removes)
        r = write_entry(c, err);
    if (r == 0 && km_arena_overflowed(&c->arena))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r < 0)
        return r;
    r = km_gateway_change_added(gw, gw->models_added, c->id, c->after, err);
    if (r < 0)
        cut_place(err);
    return r;
}

static void do_change(struct km_msg *msg, void *owner)
{
    struct change *c = (struct change *)(void *)msg;
    struct km_gateway *gw = owner;
    struct km_audit audit = { .actor = c->actor, .action = km_str_c(c->verb->action) };
    struct km_model_row row;

    if (gw->ending)
        km_fail(&c->err, KM_E_CANCELED, "the gateway is ending");
    if (gw->ending || make(gw, c, &c->err) < 0) {
        refuse(c);
        return;
    }
    audit.target = c->id;
    audit.detail = km_model_said_names(&c->said, &c->arena);
    row = (struct km_model_row){ .id = c->id, .json = c->after };
    km_store_model_put(gw->store, c->a->v->w->mailbox, &row, &audit, on_stored, c);
}

/* --- routes --- */

struct model_admin_settings {
    bool store;
};

static const struct km_setting setting_rows[] = {
    { .name = "store_model_in_db",
      .type = KM_SET_BOOL,
      .offset = offsetof(struct model_admin_settings, store),
      .def = "true",
      .flags = KM_SET_SAFETY,
      .help = "POST /model/new and its like may store models beside those of the file; false: they "
              "are refused, and stored ones are served all the same." },
    { 0 },
};

const struct km_settings_table km_model_admin_table = {
    .section = "general_settings",
    .rows = setting_rows,
    .size = sizeof(struct model_admin_settings),
    .extra = SIZE_MAX,
};

static int check_may(struct km_admin *a, struct km_err *err)
{
    const struct model_admin_settings *s =
        km_config_get(a->v->view->snap->config, &km_model_admin_table);
    int r = km_account_may(a, KM_ACCOUNT_OWN, KM_ACCOUNT_ORGANIZATION, NULL, err);

    if (r == 0 && !s->store)
        r = km_fail(err, KM_E_FORBIDDEN,
                    "general_settings.store_model_in_db is false: models are those of the "
                    "configuration file.");
    return r;
}

/* The change has a tree of its own: the main thread reads it. */
static int begin(struct km_admin *a, struct km_str id, struct km_err *err)
{
    struct change *c = calloc(1, sizeof *c);
    int r;

    if (!c)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    km_arena_init(&c->arena, ARENA_BYTES, NULL);
    c->a = a;
    c->verb = a->v->match.route->data;
    c->actor = km_arena_str(&c->arena, km_admin_actor(a));
    c->outside = !a->v->local;
    r = km_json_parse(&c->arena, a->text, &c->body, err);
    if (r == 0)
        r = km_model_said_read(c->body, &c->said, err);
    c->id = km_arena_str(&c->arena, id);
    if (r == 0 && km_arena_overflowed(&c->arena))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r < 0) {
        change_free(c);
        return r;
    }
    c->round.msg.run = do_change;
    km_mailbox_post(a->v->w->gw->main_mailbox, &c->round.msg);
    return 0;
}

static int read_said(struct km_admin *a, struct km_model_said *said, struct km_err *err)
{
    int r = check_may(a, err);

    if (r == 0 && !a->body)
        r = km_fail_param(err, KM_E_INVALID, "request_body", "The body must be a JSON object.");
    return r == 0 ? km_model_said_read(a->body, said, err) : r;
}

static int new_model(struct km_admin *a, struct km_err *err)
{
    struct km_model_said said;
    int r = read_said(a, &said, err);

    if (r == 0)
        r = km_model_said_whole(&said, err);
    return r == 0 ? begin(a, said.id.n ? said.id : km_account_fresh_id(a), err) : r;
}

static int update(struct km_admin *a, struct km_err *err)
{
    struct km_model_said said;
    int r = read_said(a, &said, err);

    if (r == 0 && !said.id.n)
        r = km_fail_param(err, KM_E_INVALID, "model_info.id", "Say which model: model_info.id.");
    return r == 0 ? begin(a, said.id, err) : r;
}

static int patch(struct km_admin *a, struct km_err *err)
{
    const struct km_str id = a->v->match.params[0];
    struct km_model_said said;
    int r = read_said(a, &said, err);

    if (r == 0 && said.id.n && !km_str_eq(said.id, id))
        r = km_fail_param(err, KM_E_INVALID, "model_info.id",
                          "A model keeps its id: model_info.id is not the path's.");
    return r == 0 ? begin(a, id, err) : r;
}

static int delete(struct km_admin *a, struct km_err *err)
{
    struct km_model_said said;
    int r = read_said(a, &said, err);

    if (r == 0 && !said.id.n)
        r = km_fail_param(err, KM_E_INVALID, "id", "Say which model: id.");
    return r == 0 ? begin(a, said.id, err) : r;
}

KM_ADMIN_CHANGE(on_new, BODY_BYTES, new_model)
KM_ADMIN_CHANGE(on_update, BODY_BYTES, update)
KM_ADMIN_CHANGE(on_patch, BODY_BYTES, patch)
KM_ADMIN_CHANGE(on_delete, BODY_BYTES, delete)

static const struct verb creates = { .action = "model.create", .makes = true };
static const struct verb updates = { .action = "model.update",
                                     .unknown = { "Model with id=", " not found in db" },
                                     .unknown_code = KM_E_INVALID };
static const struct verb patches = { .action = "model.update",
                                     .unknown = { "Model ", " not found on proxy." },
                                     .unknown_code = KM_E_NOT_FOUND };
static const struct verb deletes = { .action = "model.delete",
                                     .unknown = { "Model with id=", " not found in db" },
                                     .unknown_code = KM_E_INVALID,
                                     .removes = true };

static const struct km_route rows[] = {
    { "POST", "/model/new", on_new, KM_AUTH_KEY, &creates },
    { "POST", "/model/update", on_update, KM_AUTH_KEY, &updates },
    { "PATCH", "/model/{id}/update", on_patch, KM_AUTH_KEY, &patches },
    { "POST", "/model/delete", on_delete, KM_AUTH_KEY, &deletes },
};

const struct km_route_rows km_model_routes = { rows, sizeof rows / sizeof rows[0] };
