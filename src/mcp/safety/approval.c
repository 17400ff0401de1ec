/* SPDX-License-Identifier: Apache-2.0 */
/* approval.c - see approval.h for the contract.
 *
 *     ask ──> pending ── approve ──> approved ── the same call again ──> gone (used)
 *                └────── refuse ───> refused ─────── ten minutes ──────> gone
 *
 * A question is known by the SHA-256 of principal, tool and argument digest, each with its
 * length before it; the texts beside it are for people and may be cut.  The table is an array
 * that is walked: it holds hundreds, and is asked only when a tool is not harmless.  A full table
 * refuses new questions instead of dropping old ones, and one principal can fill only its share.
 *
 * The arguments may hold what nobody but the caller and the approver should read (a password, a
 * text of a customer).  They lie here for minutes, so they lie sealed: what a core file or a dump
 * of these pages has of them is noise, once the key beside them is left out of it.
 */
#include "mcp/safety/approval.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/time.h"
#include "base/veil.h"

const struct km_approval_policy km_approval_default = { KM_APPROVE_DESTRUCTIVE, KM_APPROVE_NEVER };

struct km_str km_risk_name(enum km_risk risk)
{
    static const struct km_str names[] = {
        { "unknown", 7 }, { "read_only", 9 }, { "write", 5 }, { "destructive", 11 }
    };

    return names[risk];
}

enum km_risk km_risk_claimed(const struct km_mcp_hints *hints)
{
    if (hints->destructive > 0)
        return KM_RISK_DESTRUCTIVE;
    if (hints->read_only > 0)
        return KM_RISK_READ_ONLY;
    if (hints->destructive < 0)
        return KM_RISK_WRITE;
    return hints->read_only < 0 ? KM_RISK_DESTRUCTIVE : KM_RISK_UNKNOWN;
}

enum km_risk km_risk_of(enum km_risk configured, const struct km_mcp_hints *hints)
{
    return configured == KM_RISK_UNKNOWN ? km_risk_claimed(hints) : configured;
}

enum km_risk km_risk_at_least(enum km_risk least, const struct km_mcp_hints *hints)
{
    enum km_risk claimed = km_risk_claimed(hints);

    return claimed > least ? claimed : least;
}

enum km_verdict km_approval_decide(const struct km_approval_policy *policy, enum km_risk risk)
{
    enum km_approve rule = risk == KM_RISK_UNKNOWN ? policy->unknown : policy->known;

    switch (rule) {
    case KM_APPROVE_DENY:
        return risk == KM_RISK_READ_ONLY ? KM_VERDICT_ALLOW : KM_VERDICT_DENY;
    case KM_APPROVE_ALWAYS:
        return KM_VERDICT_ASK;
    case KM_APPROVE_WRITE:
        return risk == KM_RISK_READ_ONLY ? KM_VERDICT_ALLOW : KM_VERDICT_ASK;
    case KM_APPROVE_DESTRUCTIVE:
        return risk == KM_RISK_DESTRUCTIVE ? KM_VERDICT_ASK : KM_VERDICT_ALLOW;
    case KM_APPROVE_NEVER:
        return KM_VERDICT_ALLOW;
    }
    return KM_VERDICT_DENY;
}

enum state { FREE, PENDING, APPROVED, REFUSED };

struct entry {
    enum state state;
    uint64_t expires_ms;
    int64_t asked_us; /* wall */
    uint64_t order; /* counts questions: oldest first in the list */
    uint8_t bound[KM_SHA256_LEN];
    uint8_t who[KM_SHA256_LEN]; /* of the principal alone: its share */
    uint8_t digest[KM_SHA256_LEN];
    enum km_risk risk;
    size_t cut;
    struct km_buf sealed; /* the arguments, bound to the id; empty where none were given */
    char id[KM_APPROVAL_ID_LEN + 1];
    char principal[80], subject[160], tool[160];
    char alias[80], user[80], server[80];
};

struct km_approvals {
    pthread_mutex_t lock;
    uint64_t asked;
    size_t max;
    uint8_t key[KM_AEAD_KEY_LEN]; /* of this process: what waits does not outlive it */
    struct entry v[];
};

struct km_approvals *km_approvals_new(size_t max)
{
    struct km_approvals *a = calloc(1, sizeof *a + max * sizeof a->v[0]);

    if (!a)
        return NULL;
    pthread_mutex_init(&a->lock, NULL);
    if (km_random(a->key, sizeof a->key, NULL) < 0)
        return km_approvals_free(a);
    a->max = max;
    return a;
}

/* The question is over: nothing of it stays. */
static void drop(struct entry *e)
{
    km_wipe(e->sealed.p, e->sealed.n);
    km_buf_done(&e->sealed);
    km_wipe(e, sizeof *e); /* FREE */
}

struct km_approvals *km_approvals_free(struct km_approvals *a)
{
    if (!a)
        return NULL;
    for (size_t i = 0; i < a->max; i++)
        drop(&a->v[i]);
    km_wipe(a->key, sizeof a->key);
    pthread_mutex_destroy(&a->lock);
    free(a);
    return NULL;
}

static int seal(const struct km_approvals *a, struct km_str shown, struct entry *e,
                struct km_err *err)
{
    km_buf_init(&e->sealed, KM_ARGS_TEXT_BYTES + KM_AEAD_NONCE_LEN + KM_AEAD_TAG_LEN);
    return shown.n ? km_aead_seal(a->key, shown, km_str_c(e->id), &e->sealed, err) : 0;
}

static bool bind_to(const struct km_approval_ask *ask, uint8_t out[KM_SHA256_LEN])
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_printf(&b, "%zu:%zu:", ask->principal.n, ask->tool.n);
    km_buf_str(&b, ask->principal);
    km_buf_str(&b, ask->tool);
    km_buf_bytes(&b, ask->digest, KM_SHA256_LEN);
    km_sha256(km_buf_view(&b), out);
    return !km_buf_failed(&b);
}

/* Forgets what is over. */
static void expire(struct km_approvals *a, uint64_t now_ms)
{
    for (size_t i = 0; i < a->max; i++)
        if (a->v[i].state != FREE && a->v[i].expires_ms <= now_ms)
            drop(&a->v[i]);
}

/* As much of it as fits, and no half of a character. */
static void keep_text(char *to, size_t size, struct km_str text)
{
    const struct km_str kept = km_utf8_cut(text, size - 1);

    snprintf(to, size, "%.*s", KM_STR_ARG(kept));
}

static int file_new(struct km_approvals *a, const struct km_approval_ask *ask,
                    const uint8_t bound[KM_SHA256_LEN], uint64_t now_ms, struct entry **ret,
                    struct km_err *err)
{
    struct entry *free_one = NULL;
    struct entry e = { .state = PENDING, .expires_ms = now_ms + KM_APPROVAL_MS };
    uint8_t random[KM_APPROVAL_ID_LEN / 2];
    size_t own = 0;
    int r = km_random(random, sizeof random, err);

    if (r < 0)
        return r;
    km_sha256(ask->principal, e.who);
    for (size_t i = 0; i < a->max; i++) {
        if (a->v[i].state == FREE)
            free_one = free_one ? free_one : &a->v[i];
        else
            own += memcmp(a->v[i].who, e.who, sizeof e.who) == 0;
    }
    if (!free_one || own >= KM_APPROVALS_PER_PRINCIPAL)
        return km_fail(err, KM_E_LIMIT, "too many calls wait for approval; try again later");
    km_hex(e.id, random, sizeof random);
    memcpy(e.bound, bound, sizeof e.bound);
    memcpy(e.digest, ask->digest, sizeof e.digest);
    e.risk = ask->risk;
    e.cut = ask->cut;
    e.order = ++a->asked;
    e.asked_us = km_wall_us();
    keep_text(e.principal, sizeof e.principal, ask->principal);
    keep_text(e.subject, sizeof e.subject, ask->subject);
    keep_text(e.tool, sizeof e.tool, ask->tool);
    keep_text(e.alias, sizeof e.alias, ask->alias);
    keep_text(e.user, sizeof e.user, ask->user);
    keep_text(e.server, sizeof e.server, ask->server);
    r = seal(a, ask->shown, &e, err);
    if (r < 0) {
        drop(&e);
        return r;
    }
    *free_one = e;
    *ret = free_one;
    return 0;
}

static struct entry *find(struct km_approvals *a, const uint8_t bound[KM_SHA256_LEN])
{
    for (size_t i = 0; i < a->max; i++)
        if (a->v[i].state != FREE && memcmp(a->v[i].bound, bound, KM_SHA256_LEN) == 0)
            return &a->v[i];
    return NULL;
}

static int take(struct km_approvals *a, const struct km_approval_ask *ask,
                const uint8_t bound[KM_SHA256_LEN], uint64_t now_ms, char *ret_id,
                struct km_err *err)
{
    struct entry *e;
    int r;

    expire(a, now_ms);
    e = find(a, bound);
    ret_id[0] = '\0';
    if (e && e->state == APPROVED) {
        drop(e);
        return 0;
    }
    if (e && e->state == REFUSED)
        return km_fail(err, KM_E_FORBIDDEN, "approval was refused");
    if (!e && ask->quiet)
        return km_fail(err, KM_E_AGAIN, "approval required");
    r = e ? 0 : file_new(a, ask, bound, now_ms, &e, err);
    if (r < 0)
        return r;
    memcpy(ret_id, e->id, sizeof e->id);
    return km_fail(err, KM_E_AGAIN, "approval required: %s", e->id);
}

int km_approvals_take(struct km_approvals *a, const struct km_approval_ask *ask, uint64_t now_ms,
                      char ret_id[KM_APPROVAL_ID_LEN + 1], struct km_err *err)
{
    uint8_t bound[KM_SHA256_LEN];
    int r;

    if (!bind_to(ask, bound))
        return km_fail(err, KM_E_LIMIT, "the names are too long to ask for approval");
    pthread_mutex_lock(&a->lock);
    r = take(a, ask, bound, now_ms, ret_id, err);
    pthread_mutex_unlock(&a->lock);
    return r;
}

int km_approvals_give(struct km_approvals *a, const struct km_approval_ask *ask, uint64_t now_ms,
                      struct km_err *err)
{
    uint8_t bound[KM_SHA256_LEN];
    struct entry *e;
    int r = 0;

    if (!bind_to(ask, bound))
        return km_fail(err, KM_E_LIMIT, "the names are too long to ask for approval");
    pthread_mutex_lock(&a->lock);
    expire(a, now_ms);
    e = find(a, bound);
    if (!e)
        r = file_new(a, ask, bound, now_ms, &e, err);
    if (r == 0) {
        e->state = APPROVED;
        e->expires_ms = now_ms + KM_APPROVAL_MS;
    }
    pthread_mutex_unlock(&a->lock);
    return r;
}

static int answer(struct km_approvals *a, struct km_str id, bool approve, uint64_t now_ms,
                  char *ret_tool, struct km_err *err)
{
    expire(a, now_ms);
    for (size_t i = 0; i < a->max; i++) {
        struct entry *e = &a->v[i];

        if (e->state == FREE || !km_str_eq(id, km_str_c(e->id)))
            continue;
        if (e->state != PENDING)
            return km_fail(err, KM_E_EXISTS, "approval %s was already %s", e->id,
                           e->state == APPROVED ? "given" : "refused");
        e->state = approve ? APPROVED : REFUSED;
        e->expires_ms = now_ms + KM_APPROVAL_MS;
        if (ret_tool)
            memcpy(ret_tool, e->tool, sizeof e->tool);
        return 0;
    }
    return km_fail(err, KM_E_NOT_FOUND, "no call waits for approval under '%.*s'",
                   KM_STR_ARG(km_str_sub(id, 0, 64)));
}

int km_approvals_answer(struct km_approvals *a, struct km_str id, bool approve, uint64_t now_ms,
                        char ret_tool[160], struct km_err *err)
{
    int r;

    pthread_mutex_lock(&a->lock);
    r = answer(a, id, approve, now_ms, ret_tool, err);
    pthread_mutex_unlock(&a->lock);
    return r;
}

static bool is_json(struct km_str text)
{
    const struct km_json *root;
    struct km_arena arena;
    bool is;

    km_arena_init(&arena, 64 * KM_ARGS_TEXT_BYTES, NULL);
    is = km_json_parse(&arena, text, &root, NULL) == 0;
    km_arena_done(&arena);
    return is;
}

/* The text as it may be shown; one that is no JSON any more without its credentials is a string. */
static void put_veiled(struct km_veil *veil, struct km_str shown, struct km_buf *out)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_ARGS_TEXT_BYTES);

    if (!km_veil_cut(veil, shown, &cut))
        km_buf_str(out, shown);
    else if (is_json(km_buf_view(&cut)))
        km_buf_str(out, km_buf_view(&cut));
    else
        km_buf_json(out, km_buf_view(&cut));
    out->failed |= km_buf_failed(&cut);
    km_wipe(cut.p, cut.n);
}

static void put_arguments(const struct km_approvals *a, const struct entry *e, struct km_veil *veil,
                          struct km_buf *out)
{
    struct km_buf shown KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);

    if (!e->sealed.n)
        return;
    if (km_aead_open(a->key, km_buf_view(&e->sealed), km_str_c(e->id), &shown, NULL) == 0) {
        km_buf_str(out, KM_STR("\"arguments\":"));
        put_veiled(veil, km_buf_view(&shown), out);
        km_buf_printf(out, ",\"arguments_cut\":%zu,", e->cut);
    } else {
        out->failed = true; /* out of memory: no list, rather than one without them */
    }
    km_wipe(shown.p, shown.n);
}

static void put_text(struct km_buf *out, const char *name, const char *text)
{
    if (!text[0])
        return;
    km_buf_printf(out, ",\"%s\":", name);
    km_args_text(km_str_c(text), out);
}

static void put_times(const struct entry *e, uint64_t now_ms, struct km_buf *out)
{
    uint64_t left_ms = e->expires_ms - now_ms;
    char when[KM_TIME_ISO_LEN + 1];

    km_time_iso(e->asked_us, when);
    km_buf_printf(out, "\"asked_at\":\"%s\",", when);
    km_time_iso(km_wall_us() + (int64_t)left_ms * 1000, when);
    km_buf_printf(out, "\"expires_at\":\"%s\",\"expires_in_s\":%llu}", when,
                  (unsigned long long)(left_ms / 1000));
}

static void put_entry(const struct km_approvals *a, const struct entry *e, struct km_veil *veil,
                      uint64_t now_ms, struct km_buf *out)
{
    static const char *const states[] = { "", "pending", "approved", "refused" };
    char hex[2 * KM_SHA256_LEN + 1];

    km_hex(hex, e->digest, sizeof e->digest);
    km_buf_printf(out, "{\"id\":\"%s\"", e->id);
    put_text(out, "principal", e->principal);
    put_text(out, "subject", e->subject);
    put_text(out, "key_alias", e->alias);
    put_text(out, "user_id", e->user);
    put_text(out, "server", e->server);
    put_text(out, "tool", e->tool);
    km_buf_printf(out, ",\"risk\":\"%.*s\",", KM_STR_ARG(km_risk_name(e->risk)));
    put_arguments(a, e, veil, out);
    km_buf_printf(out, "\"arguments_sha256\":\"%s\",\"state\":\"%s\",", hex, states[e->state]);
    put_times(e, now_ms, out);
}

/* The oldest that came after `after`. */
static const struct entry *next_after(const struct km_approvals *a, uint64_t after)
{
    const struct entry *best = NULL;

    for (size_t i = 0; i < a->max; i++)
        if (a->v[i].state != FREE && a->v[i].order > after &&
            (!best || a->v[i].order < best->order))
            best = &a->v[i];
    return best;
}

void km_approvals_json(struct km_approvals *a, struct km_str id, struct km_veil *veil,
                       uint64_t now_ms, struct km_buf *out)
{
    const struct entry *e;
    size_t n = 0;

    pthread_mutex_lock(&a->lock);
    expire(a, now_ms);
    km_buf_byte(out, '[');
    for (uint64_t at = 0; (e = next_after(a, at)) != NULL; at = e->order) {
        if (id.n && !km_str_eq(id, km_str_c(e->id)))
            continue;
        if (n++)
            km_buf_byte(out, ',');
        put_entry(a, e, veil, now_ms, out);
    }
    km_buf_byte(out, ']');
    pthread_mutex_unlock(&a->lock);
}
