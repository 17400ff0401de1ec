/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - see record.h for the contract.
 *
 *     [ struct km_record: numbers, lengths ][ strings, one after the other ][ pad to 8 ]
 *
 * The strings of the route (what is called: type, group, model, deployment, provider, base)
 * come first and in one run, so that the writer looks the whole run up in its dictionary by one
 * hash over one piece of memory.
 *
 * Version 2 had no payers.  Version 1 had no attempts either, and an intent of it no more than what
 * was reserved: read as that, it is an intent that would be charged so.
 */
#include "store/record.h"

/* As a program of version 1 wrote it. */
#define STRINGS_1 9
struct record_1 {
    uint32_t size;
    uint16_t version;
    uint8_t kind, alone;
    uint16_t len[STRINGS_1];
    uint16_t status;
    uint32_t flags;
    struct km_uuid id;
    uint8_t key_hash[32];
    int64_t start_us, first_us, end_us;
    int64_t prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved, cost;
    void *done, *ctx;
    char text[];
};

/* The same of version 2. */
#define STRINGS_2 10
struct record_2 {
    uint32_t size;
    uint16_t version;
    uint8_t kind, alone;
    uint16_t len[STRINGS_2];
    uint16_t status, attempt;
    uint32_t flags;
    struct km_uuid id;
    uint8_t key_hash[32];
    int64_t start_us, first_us, end_us;
    int64_t prompt_tokens, completion_tokens, cached_tokens;
    int64_t reserved, cost, deadline_us;
    void *done, *ctx;
    char text[];
};

static inline struct km_str name_of(struct km_str s)
{
    return km_str(s.p, s.n > KM_RECORD_NAME_BYTES ? KM_RECORD_NAME_BYTES : s.n);
}

/* JSON that is cut in the middle is none, so one too long is left out. */
static inline struct km_str json_of(struct km_str s, size_t most)
{
    return km_str(s.p, s.n > most ? 0 : s.n);
}

/* Written out: every record asks twice, and a table of places would be walked each time. */
static inline void strings_of(const struct km_ledger_entry *e, struct km_str v[KM_RECORD_STRINGS])
{
    v[KM_RECORD_CALL_TYPE] = name_of(e->call_type);
    v[KM_RECORD_MODEL_GROUP] = name_of(e->model_group);
    v[KM_RECORD_MODEL] = name_of(e->model);
    v[KM_RECORD_DEPLOYMENT] = name_of(e->deployment);
    v[KM_RECORD_PROVIDER] = name_of(e->provider);
    v[KM_RECORD_API_BASE] = name_of(e->api_base);
    v[KM_RECORD_USER] = name_of(e->user);
    v[KM_RECORD_METADATA] = json_of(e->metadata, KM_RECORD_METADATA_BYTES);
    v[KM_RECORD_CLIENT_IP] = name_of(e->client_ip);
    v[KM_RECORD_ATTEMPTS] = json_of(e->attempts, KM_RECORD_ATTEMPTS_BYTES);
    v[KM_RECORD_PAYERS] = json_of(e->payers, KM_RECORD_PAYERS_BYTES);
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t km_record_size(const struct km_ledger_entry *e)
{
    struct km_str strings[KM_RECORD_STRINGS];
    size_t n = sizeof(struct km_record);

    strings_of(e, strings);
    for (size_t i = 0; i < KM_RECORD_STRINGS; i++)
        n += strings[i].n;
    return padded(n);
}

static void put_strings(struct km_record *r, const struct km_str *v, size_t n)
{
    char *at = r->text;

    for (size_t i = 0; i < n; i++) {
        r->len[i] = (uint16_t)v[i].n;
        if (v[i].n)
            memcpy(at, v[i].p, v[i].n);
        at += v[i].n;
    }
}

void km_record_renumber(struct km_record *r, const struct km_ledger_entry *e,
                        enum km_record_kind kind)
{
    r->kind = (uint8_t)kind;
    r->status = (uint16_t)(e->status < 0 || e->status > UINT16_MAX ? 0 : e->status);
    r->attempt = (uint16_t)(e->attempt > UINT16_MAX ? UINT16_MAX : e->attempt);
    r->flags = e->flags;
    r->start_us = e->start_us;
    r->first_us = e->first_us;
    r->end_us = e->end_us;
    r->prompt_tokens = e->prompt_tokens;
    r->completion_tokens = e->completion_tokens;
    r->cached_tokens = e->cached_tokens;
    r->reserved = e->reserved;
    r->cost = e->cost;
    r->deadline_us = e->deadline_us;
}

void km_record_write(struct km_record *r, size_t size, const struct km_ledger_entry *e,
                     enum km_record_kind kind)
{
    struct km_str strings[KM_RECORD_STRINGS];

    r->size = (uint32_t)size;
    r->version = KM_RECORD_VERSION;
    r->alone = 0;
    r->id = e->id;
    memcpy(r->key_hash, e->key_hash, sizeof r->key_hash);
    r->done = NULL;
    r->ctx = NULL;
    km_record_renumber(r, e, kind);
    strings_of(e, strings);
    put_strings(r, strings, KM_RECORD_STRINGS);
}

size_t km_record_audit_size(const struct km_audit *a)
{
    return padded(sizeof(struct km_record) + a->actor.n + a->action.n + a->target.n + a->detail.n);
}

void km_record_audit_write(struct km_record *r, size_t size, const struct km_audit *a,
                           int64_t at_us)
{
    const struct km_str strings[] = { [KM_RECORD_ACTOR] = a->actor,
                                      [KM_RECORD_ACTION] = a->action,
                                      [KM_RECORD_TARGET] = a->target,
                                      [KM_RECORD_DETAIL] = a->detail };

    *r = (struct km_record){ .size = (uint32_t)size,
                             .version = KM_RECORD_VERSION,
                             .kind = KM_RECORD_AUDIT,
                             .start_us = at_us };
    put_strings(r, strings, sizeof strings / sizeof strings[0]);
}

struct km_audit km_record_audit(const struct km_record *r)
{
    return (struct km_audit){ .actor = km_record_text(r, KM_RECORD_ACTOR),
                              .action = km_record_text(r, KM_RECORD_ACTION),
                              .target = km_record_text(r, KM_RECORD_TARGET),
                              .detail = km_record_text(r, KM_RECORD_DETAIL) };
}

size_t km_record_offset(const struct km_record *r, enum km_record_string s)
{
    size_t n = 0;

    for (size_t i = 0; i < (size_t)s; i++)
        n += r->len[i];
    return n;
}

bool km_record_valid(struct km_str bytes)
{
    struct km_record r;
    size_t n;

    if (bytes.n < sizeof r)
        return false;
    memcpy(&r, bytes.p, sizeof r);
    n = sizeof r + km_record_offset(&r, KM_RECORD_STRINGS);
    return r.version == KM_RECORD_VERSION && r.size == bytes.n && padded(n) == bytes.n &&
           r.kind > KM_RECORD_VOID && r.kind <= KM_RECORD_PROGRESS;
}

static size_t sum_of(const uint16_t *len, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += len[i];
    return sum;
}

/* Appends one of this version: what `head` says but for its size, and the strings of an older one;
 * those that came since are empty. */
static bool append_older(struct km_buf *out, const struct km_record *head, const uint16_t *len,
                         size_t n, const char *text)
{
    const size_t texts = sum_of(len, n), whole = padded(sizeof *head + texts);
    char *at = km_buf_reserve(out, whole);
    struct km_record *r;

    if (!at)
        return false;
    memset(at, 0, whole);
    r = (struct km_record *)(void *)at;
    *r = *head;
    r->size = (uint32_t)whole;
    r->version = KM_RECORD_VERSION;
    memcpy(r->len, len, n * sizeof *len);
    memcpy(r->text, text, texts);
    out->n += whole;
    return true;
}

/* Bytes of the whole record of version 1 that these begin with; 0: there is none. */
static size_t read_1(struct km_str bytes, struct km_buf *out)
{
    struct record_1 old;
    struct km_record head;

    if (bytes.n < sizeof old)
        return 0;
    memcpy(&old, bytes.p, sizeof old);
    if (old.version != 1 || old.size != padded(sizeof old + sum_of(old.len, STRINGS_1)) ||
        old.size > bytes.n || old.kind <= KM_RECORD_VOID || old.kind > KM_RECORD_AUDIT)
        return 0;
    head = (struct km_record){
        .kind = old.kind,
        .status = old.status,
        .attempt = 1,
        .flags = old.flags,
        .id = old.id,
        .start_us = old.start_us,
        .first_us = old.first_us,
        .end_us = old.end_us,
        .prompt_tokens = old.prompt_tokens,
        .completion_tokens = old.completion_tokens,
        .cached_tokens = old.cached_tokens,
        .reserved = old.reserved,
        .cost = old.kind == KM_RECORD_INTENT ? old.reserved : old.cost,
    };
    memcpy(head.key_hash, old.key_hash, sizeof head.key_hash);
    return append_older(out, &head, old.len, STRINGS_1, bytes.p + sizeof old) ? old.size : 0;
}

/* The same of version 2. */
static size_t read_2(struct km_str bytes, struct km_buf *out)
{
    struct record_2 old;
    struct km_record head;

    if (bytes.n < sizeof old)
        return 0;
    memcpy(&old, bytes.p, sizeof old);
    if (old.version != 2 || old.size != padded(sizeof old + sum_of(old.len, STRINGS_2)) ||
        old.size > bytes.n || old.kind <= KM_RECORD_VOID || old.kind > KM_RECORD_PROGRESS)
        return 0;
    head = (struct km_record){
        .kind = old.kind,
        .status = old.status,
        .attempt = old.attempt,
        .flags = old.flags,
        .id = old.id,
        .start_us = old.start_us,
        .first_us = old.first_us,
        .end_us = old.end_us,
        .prompt_tokens = old.prompt_tokens,
        .completion_tokens = old.completion_tokens,
        .cached_tokens = old.cached_tokens,
        .reserved = old.reserved,
        .cost = old.cost,
        .deadline_us = old.deadline_us,
    };
    memcpy(head.key_hash, old.key_hash, sizeof head.key_hash);
    return append_older(out, &head, old.len, STRINGS_2, bytes.p + sizeof old) ? old.size : 0;
}

void km_record_read(struct km_str bytes, struct km_buf *out, size_t *ret_n)
{
    uint32_t size = 0;

    *ret_n = 0;
    if (bytes.n < sizeof(struct record_1))
        return;
    memcpy(&size, bytes.p, sizeof size);
    if (size > bytes.n)
        return;
    if (!km_record_valid(km_str_sub(bytes, 0, size))) {
        *ret_n = read_2(bytes, out);
        if (*ret_n == 0 && !km_buf_failed(out))
            *ret_n = read_1(bytes, out);
        return;
    }
    km_buf_str(out, km_str_sub(bytes, 0, size));
    *ret_n = km_buf_failed(out) ? 0 : size;
}

void km_record_entry(const struct km_record *r, struct km_ledger_entry *ret_entry)
{
    *ret_entry = (struct km_ledger_entry){
        .id = r->id,
        .call_type = km_record_text(r, KM_RECORD_CALL_TYPE),
        .model_group = km_record_text(r, KM_RECORD_MODEL_GROUP),
        .model = km_record_text(r, KM_RECORD_MODEL),
        .deployment = km_record_text(r, KM_RECORD_DEPLOYMENT),
        .provider = km_record_text(r, KM_RECORD_PROVIDER),
        .api_base = km_record_text(r, KM_RECORD_API_BASE),
        .user = km_record_text(r, KM_RECORD_USER),
        .metadata = km_record_text(r, KM_RECORD_METADATA),
        .client_ip = km_record_text(r, KM_RECORD_CLIENT_IP),
        .attempts = km_record_text(r, KM_RECORD_ATTEMPTS),
        .payers = km_record_text(r, KM_RECORD_PAYERS),
        .start_us = r->start_us,
        .first_us = r->first_us,
        .end_us = r->end_us,
        .prompt_tokens = r->prompt_tokens,
        .completion_tokens = r->completion_tokens,
        .cached_tokens = r->cached_tokens,
        .reserved = r->reserved,
        .cost = r->cost,
        .deadline_us = r->deadline_us,
        .attempt = r->attempt,
        .status = r->status,
        .flags = r->flags,
    };
    memcpy(ret_entry->key_hash, r->key_hash, sizeof r->key_hash);
}
