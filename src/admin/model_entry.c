/* SPDX-License-Identifier: Apache-2.0 */
/* model_entry.c - see model_entry.h.
 *
 *     {"model_name": ..., "litellm_params": {...}, "model_info": {...}}     what is said
 *         over the entry that is there, member by member
 *     {"model_name": ..., "litellm_params": {...}, "model_info": {..., "id": ...}}
 *
 * Only the frame is judged here.  What members mean is the settings engine's, which reads the entry
 * as one of model_list: so the same names are known, and the same values are wrong.  It reads YAML,
 * where 1e-5 is a text: a number is written so that it is one there.
 */
#include "admin/model_entry.h"

#include "base/time.h"
#include "base/veil.h"
#include "http/json_out.h"
#include "http/message.h"
#include "net/guard.h"
#include "policy/price_columns.h"
#include "store/models.h"

#define DEPTH_MOST 32

static bool among(struct km_str name, const char *const *names)
{
    while (*names && !km_str_eq(name, km_str_c(*names)))
        names++;
    return *names != NULL;
}

/* --- what is said --- */

static int read_object(const struct km_json *body, const char *name, const struct km_json **ret,
                       struct km_err *err)
{
    const struct km_json *v = km_json_get(body, name);

    *ret = NULL;
    if (km_json_kind(v) == KM_JSON_ABSENT || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be an object.", name);
    *ret = v;
    return 0;
}

static int read_name(const struct km_json *body, const struct km_json **ret, struct km_err *err)
{
    const struct km_json *v = km_json_get(body, "model_name");
    struct km_str name = KM_STR_NONE;

    *ret = NULL;
    if (km_json_kind(v) == KM_JSON_ABSENT || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (!km_json_string(v, &name) || !name.n || name.n > KM_MODEL_NAME_MOST)
        return km_fail_param(err, KM_E_INVALID, "model_name",
                             "'model_name' must be a text of 1 to %d bytes.", KM_MODEL_NAME_MOST);
    *ret = v;
    return 0;
}

/* It stands in a header field of every answer. */
static int check_id(struct km_str id, struct km_err *err)
{
    bool fine = id.n > 0 && id.n <= KM_MODEL_ID_MOST;

    for (size_t i = 0; fine && i < id.n; i++)
        fine = id.p[i] > ' ' && id.p[i] <= '~';
    return fine ? 0
                : km_fail_param(err, KM_E_INVALID, "model_info.id",
                                "'model_info.id' must be 1 to %d visible ASCII characters.",
                                KM_MODEL_ID_MOST);
}

static int read_id(const struct km_json *body, struct km_model_said *said, struct km_err *err)
{
    const struct km_json *v = km_json_get(said->info, "id");

    if (km_json_kind(v) == KM_JSON_ABSENT || km_json_kind(v) == KM_JSON_NULL)
        v = km_json_get(body, "id"); /* as LiteLLM's own client says it */
    if (km_json_kind(v) == KM_JSON_ABSENT || km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (!km_json_string(v, &said->id))
        return km_fail_param(err, KM_E_INVALID, "model_info.id", "'model_info.id' must be a text.");
    return check_id(said->id, err);
}

/* What would restrict the model in LiteLLM, and nothing enforces here. */
static int check_restrictions(const struct km_json *body, const struct km_json *info,
                              struct km_err *err)
{
    static const char *const names[] = { "team_id", "access_windows", NULL };
    const struct km_json *const blocked[] = { km_json_get(body, "blocked"),
                                              km_json_get(info, "blocked") };

    for (size_t i = 0; i < 2; i++) {
        const enum km_json_type type = km_json_kind(blocked[i]);

        if (type != KM_JSON_ABSENT && type != KM_JSON_NULL && type != KM_JSON_FALSE)
            return km_fail_param(err, KM_E_UNSUPPORTED, "blocked",
                                 "A model cannot be blocked here: delete it, and store it again "
                                 "later.");
    }
    for (size_t i = 0; names[i]; i++) {
        const enum km_json_type type = km_json_kind(km_json_get(info, names[i]));

        if (type != KM_JSON_ABSENT && type != KM_JSON_NULL)
            return km_fail_param(err, KM_E_UNSUPPORTED, "model_info",
                                 "model_info.%s is not enforced here: say in `models` of keys and "
                                 "teams who may use the model.",
                                 names[i]);
    }
    return 0;
}

int km_model_said_read(const struct km_json *body, struct km_model_said *ret, struct km_err *err)
{
    struct km_model_said said = { 0 };
    int r = read_name(body, &said.name, err);

    if (r == 0)
        r = read_object(body, "litellm_params", &said.params, err);
    if (r == 0)
        r = read_object(body, "model_info", &said.info, err);
    if (r == 0)
        r = read_id(body, &said, err);
    if (r == 0 && !km_json_within(body, DEPTH_MOST))
        r = km_fail(err, KM_E_INVALID, "The model has more than %d levels of objects.", DEPTH_MOST);
    if (r == 0)
        r = check_restrictions(body, said.info, err);
    if (r == 0)
        *ret = said;
    return r;
}

int km_model_said_whole(const struct km_model_said *said, struct km_err *err)
{
    struct km_str model;

    if (!said->name)
        return km_fail_param(err, KM_E_INVALID, "model_name", "'model_name' is missing.");
    if (!said->params)
        return km_fail_param(err, KM_E_INVALID, "litellm_params", "'litellm_params' is missing.");
    if (!km_json_string(km_json_get(said->params, "model"), &model) || !model.n)
        return km_fail_param(err, KM_E_INVALID, "litellm_params.model",
                             "'litellm_params.model' must say the model: <provider>/<model>.");
    return 0;
}

/* --- from outside --- */

static bool says(const struct km_json *params, const char *name, struct km_str *ret)
{
    *ret = KM_STR_NONE;
    return km_json_string(km_json_get(params, name), ret) && ret->n;
}

/* Names of what lies on this machine. */
static const char *names_machine(const struct km_json *params)
{
    struct km_str text;

    if (says(params, "litellm_credential_name", &text))
        return "litellm_credential_name";
    if (says(params, "aws_profile_name", &text))
        return "aws_profile_name";
    if (says(params, "aws_web_identity_token", &text) && km_str_chr(text, '/') < text.n)
        return "aws_web_identity_token";
    if (says(params, "vertex_credentials", &text) && !km_str_starts(km_str_trim(text), KM_STR("{")))
        return "vertex_credentials";
    return NULL;
}

int km_model_entry_outside(struct km_arena *arena, struct km_str text, struct km_err *err)
{
    const struct km_json *entry;
    const char *name;
    int r = km_json_parse(arena, text, &entry, err);

    if (r < 0)
        return r;
    if (km_str_find(text, KM_STR("os.environ")) < text.n)
        return km_fail(err, KM_E_FORBIDDEN,
                       "Variables of this machine (os.environ/...) are for the configuration file "
                       "and the control socket: whoever has the master key could send any of them "
                       "to an address of his own. Say the value itself; it is stored encrypted.");
    if (km_str_find(text, KM_STR("\"enc:")) < text.n)
        return km_fail(err, KM_E_FORBIDDEN,
                       "Values sealed for the configuration file (enc:...) are for that file and "
                       "the control socket. Say the value itself; it is stored encrypted.");
    name = names_machine(km_json_get(entry, "litellm_params"));
    if (name)
        return km_fail_param(err, KM_E_FORBIDDEN, "litellm_params",
                             "litellm_params.%s: credentials that lie on this machine are for the "
                             "configuration file and the control socket. Say the credentials "
                             "themselves; they are stored encrypted.",
                             name);
    return 0;
}

int km_model_entry_addresses(struct km_arena *arena, struct km_str text, struct km_err *err)
{
    static const char *const names[] = { "api_base", "base_url", "aws_sts_endpoint",
                                         "aws_bedrock_runtime_endpoint", NULL };
    const struct km_json *entry;
    struct km_str said;
    int r = km_json_parse(arena, text, &entry, err);

    for (size_t i = 0; r == 0 && names[i]; i++) {
        union km_addr a;
        struct km_url url;

        if (says(km_json_get(entry, "litellm_params"), names[i], &said) &&
            km_url_parse(said, &url, NULL) == 0 && km_addr_parse(url.host, url.port, &a) == 0 &&
            km_addr_metadata(&a))
            r = km_fail_param(err, KM_E_FORBIDDEN, "litellm_params",
                              "litellm_params.%s: %.*s is a link-local or metadata address, which "
                              "only the configuration file may name.",
                              names[i], KM_STR_ARG(km_str_sub(url.host, 0, 64)));
    }
    return r;
}

/* --- the entry --- */

/* 1e-5 and 1E5 are texts in YAML 1.1: 1.0e-5 and 1.0e+5 are numbers in both. */
static void put_number(struct km_json_out *o, struct km_str text)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    size_t e = 0;

    while (e < text.n && text.p[e] != 'e' && text.p[e] != 'E')
        e++;
    km_buf_str(&b, km_str_sub(text, 0, e));
    if (e < text.n) {
        if (km_str_chr(km_str_sub(text, 0, e), '.') == e)
            km_buf_str(&b, KM_STR(".0"));
        km_buf_byte(&b, 'e');
        if (e + 1 < text.n && text.p[e + 1] != '+' && text.p[e + 1] != '-')
            km_buf_byte(&b, '+');
        km_buf_str(&b, km_str_skip(text, e + 1));
    }
    km_out_raw(o, km_buf_failed(&b) ? KM_STR("0") : km_buf_view(&b));
}

static void put_value(struct km_json_out *o, const struct km_json *v)
{
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key, text;
    const bool object = km_json_kind(v) == KM_JSON_OBJECT;

    if (km_json_number(v, &text)) {
        put_number(o, text);
        return;
    }
    if (!object && km_json_kind(v) != KM_JSON_ARRAY) {
        km_out_value(o, v);
        return;
    }
    km_out_open(o, object ? '{' : '[');
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);) {
        if (object)
            km_out_key_str(o, key);
        put_value(o, item);
    }
    km_out_close(o, object ? '}' : ']');
}

static bool is_stamped(struct km_str name)
{
    static const char *const names[] = { "id",         "db_model",   "created_at", "created_by",
                                         "updated_at", "updated_by", NULL };

    return among(name, names);
}

static bool is_null(const struct km_json *v)
{
    return km_json_kind(v) == KM_JSON_NULL;
}

/* What was there and is not said anew, then what is said. */
static void put_members(struct km_json_out *o, const struct km_json *over,
                        const struct km_json *under)
{
    const struct km_json *v, *said;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(under, &it); km_json_next(&it, &key, &v);) {
        said = km_json_member(over, key);
        if (is_stamped(key) || (said && !is_null(said)) || (said && km_price_counts(key)))
            continue;
        km_out_key_str(o, key);
        put_value(o, v);
    }
    for (km_json_iter(over, &it); km_json_next(&it, &key, &v);) {
        if (is_stamped(key) || is_null(v))
            continue;
        km_out_key_str(o, key);
        put_value(o, v);
    }
}

static void put_stamp(struct km_json_out *o, const struct km_model_stamp *stamp,
                      const struct km_json *before)
{
    const struct km_json *info = km_json_get(before, "model_info");
    struct km_str at, by;
    char now[KM_TIME_ISO_LEN + 1];

    km_time_iso(stamp->now_us, now);
    if (!says(info, "created_at", &at) || !says(info, "created_by", &by)) {
        at = km_str_c(now);
        by = stamp->by;
    }
    km_out_member(o, "id", stamp->id);
    km_out_key(o, "db_model");
    km_out_bool(o, true);
    km_out_member(o, "created_at", at);
    km_out_member(o, "created_by", by);
    km_out_member(o, "updated_at", km_str_c(now));
    km_out_member(o, "updated_by", stamp->by);
}

/* Members beside the three, which the configuration does not know: it says so. */
static void put_others(struct km_json_out *o, const struct km_json *body)
{
    static const char *const known[] = { "model_name", "litellm_params", "model_info",
                                         "id",         "blocked",        NULL };
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key;

    for (km_json_iter(body, &it); km_json_next(&it, &key, &v);)
        if (!is_null(v) && !among(key, known)) {
            km_out_key_str(o, key);
            put_value(o, v);
        }
}

int km_model_entry_write(struct km_arena *arena, const struct km_json *body,
                         const struct km_model_said *said, struct km_str before,
                         const struct km_model_stamp *stamp, struct km_str *ret, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(KM_MODEL_BYTES + 1);
    const struct km_json *old = NULL;
    struct km_json_out o;
    int r = before.n ? km_json_parse(arena, before, &old, err) : 0;

    if (r < 0)
        return r;
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_key(&o, "model_name");
    km_out_value(&o, said->name ? said->name : km_json_get(old, "model_name"));
    km_out_key(&o, "litellm_params");
    km_out_open(&o, '{');
    put_members(&o, said->params, km_json_get(old, "litellm_params"));
    km_out_close(&o, '}');
    km_out_key(&o, "model_info");
    km_out_open(&o, '{');
    put_members(&o, said->info, km_json_get(old, "model_info"));
    put_stamp(&o, stamp, old);
    km_out_close(&o, '}');
    put_others(&o, body);
    km_out_close(&o, '}');
    if (km_buf_failed(&out) || out.n > KM_MODEL_BYTES)
        return km_fail(err, KM_E_LIMIT, "The model is over %zu bytes.", KM_MODEL_BYTES);
    *ret = km_arena_str(arena, km_buf_view(&out));
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

/* --- shown --- */

/* Numbers and switches are; of texts only what can be no credential and no address. */
static bool is_shown(struct km_str name, const struct km_json *v)
{
    static const char *const texts[] = { "model",           "custom_llm_provider", "base_model",
                                         "api_version",     "aws_region_name",     "region_name",
                                         "vertex_location", NULL };
    const enum km_json_type type = km_json_kind(v);

    return type == KM_JSON_NUMBER || type == KM_JSON_TRUE || type == KM_JSON_FALSE ||
           (type == KM_JSON_STRING && among(name, texts));
}

static void show_params(struct km_json_out *o, const struct km_json *params)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key;

    km_out_open(o, '{');
    for (km_json_iter(params, &it); km_json_next(&it, &key, &v);)
        if (is_shown(key, v)) {
            km_out_key_str(o, key);
            km_out_value(o, v);
        }
    km_out_close(o, '}');
}

/* What is noted of it is for all to see, but for what somebody noted under a credential's name. */
static void show_info(struct km_json_out *o, const struct km_json *info)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key;

    km_out_open(o, '{');
    for (km_json_iter(info, &it); km_json_next(&it, &key, &v);)
        if (!km_veil_names(key)) {
            km_out_key_str(o, key);
            km_out_value(o, v);
        }
    km_out_close(o, '}');
}

void km_model_entry_show(struct km_arena *arena, struct km_str text, struct km_buf *out)
{
    static const char *const stamps[] = { "created_at", "created_by", "updated_at", "updated_by",
                                          NULL };
    const struct km_json *entry = NULL, *info;
    struct km_json_out o;

    if (km_json_parse(arena, text, &entry, NULL) < 0)
        entry = NULL;
    info = km_json_get(entry, "model_info");
    km_json_out_init(&o, out);
    km_out_open(&o, '{');
    km_out_key(&o, "model_id");
    km_out_value(&o, km_json_get(info, "id"));
    km_out_key(&o, "model_name");
    km_out_value(&o, km_json_get(entry, "model_name"));
    km_out_key(&o, "litellm_params");
    show_params(&o, km_json_get(entry, "litellm_params"));
    km_out_key(&o, "model_info");
    show_info(&o, info);
    for (size_t i = 0; stamps[i]; i++) {
        km_out_key(&o, stamps[i]);
        km_out_value(&o, km_json_get(info, stamps[i]));
    }
    km_out_key(&o, "blocked");
    km_out_bool(&o, false);
    km_out_close(&o, '}');
}

static void put_names(struct km_json_out *o, const char *name, const struct km_json *object)
{
    const struct km_json *v;
    struct km_json_iter it;
    struct km_str key;

    if (!object)
        return;
    km_out_key(o, name);
    km_out_open(o, '[');
    for (km_json_iter(object, &it); km_json_next(&it, &key, &v);)
        km_out_str(o, key);
    km_out_close(o, ']');
}

struct km_str km_model_said_names(const struct km_model_said *said, struct km_arena *arena)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '{');
    if (said->name) {
        km_out_key(&o, "model_name");
        km_out_value(&o, said->name);
    }
    put_names(&o, "litellm_params", said->params);
    put_names(&o, "model_info", said->info);
    km_out_close(&o, '}');
    return km_buf_failed(&b) ? KM_STR("{}") : km_arena_str(arena, km_buf_view(&b));
}
