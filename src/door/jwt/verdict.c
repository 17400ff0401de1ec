/* SPDX-License-Identifier: Apache-2.0 */
/* verdict.c - see verdict.h.
 *
 *     first bytes of the digest ──> a set of four places ──> one with the whole digest
 *
 * A digest is spread evenly, so a table of sets needs no chains and no growing; whoever makes
 * tokens whose digests meet in one set pushes out four verdicts at most, which costs a check of
 * a signature each.
 */
#include "door/jwt/verdict.h"

#include <pthread.h>
#include <stdlib.h>

#define SETS 1024
#define WAYS 4

struct place {
    uint8_t token[KM_SHA256_LEN];
    struct km_jwt_verdict v; /* its texts: in `texts` */
    char *texts; /* NULL: the place is free */
    uint64_t used; /* the table's clock when it was looked at */
};

struct km_jwt_verdicts {
    pthread_mutex_t lock;
    uint64_t clock;
    struct place places[SETS][WAYS];
};

struct km_jwt_verdicts *km_jwt_verdicts_new(void)
{
    struct km_jwt_verdicts *t = calloc(1, sizeof *t);

    if (t)
        pthread_mutex_init(&t->lock, NULL);
    return t;
}

struct km_jwt_verdicts *km_jwt_verdicts_free(struct km_jwt_verdicts *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
        free(t->places[i / WAYS][i % WAYS].texts);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

static struct place *set_of(struct km_jwt_verdicts *t, const uint8_t token[KM_SHA256_LEN])
{
    return t->places[((size_t)token[0] << 8 | token[1]) % SETS];
}

static struct place *place_of(struct place *set, const uint8_t token[KM_SHA256_LEN])
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].texts && memcmp(set[i].token, token, KM_SHA256_LEN) == 0)
            return &set[i];
    return NULL;
}

bool km_jwt_verdict_find(struct km_jwt_verdicts *t, const uint8_t token[KM_SHA256_LEN],
                         int64_t now_us, struct km_arena *arena, struct km_jwt_verdict *ret)
{
    struct place *p;

    pthread_mutex_lock(&t->lock);
    p = place_of(set_of(t, token), token);
    if (p && p->v.until_us <= now_us)
        p = NULL;
    if (p) {
        p->used = ++t->clock;
        *ret = p->v;
        ret->iss = km_arena_str(arena, p->v.iss);
        ret->subject = km_arena_str(arena, p->v.subject);
        if (ret->iss.n != p->v.iss.n || ret->subject.n != p->v.subject.n)
            p = NULL; /* no room for who it is: then nobody */
    }
    pthread_mutex_unlock(&t->lock);
    return p != NULL;
}

/* The same token's, a free one, one that is over, else the one not used for longest. */
static struct place *room(struct place *set, const uint8_t token[KM_SHA256_LEN], int64_t now_us)
{
    struct place *worst = &set[0], *same = place_of(set, token);

    for (size_t i = 0; !same && i < WAYS; i++) {
        if (!set[i].texts || set[i].v.until_us <= now_us)
            return &set[i];
        if (set[i].used < worst->used)
            worst = &set[i];
    }
    return same ? same : worst;
}

void km_jwt_verdict_keep(struct km_jwt_verdicts *t, const uint8_t token[KM_SHA256_LEN],
                         int64_t now_us, const struct km_jwt_verdict *verdict)
{
    size_t n = verdict->iss.n + verdict->subject.n;
    char *texts = n <= KM_JWT_VERDICT_TEXT ? malloc(n + 1) : NULL;
    struct place *p;

    if (!texts)
        return;
    if (verdict->iss.n)
        memcpy(texts, verdict->iss.p, verdict->iss.n);
    if (verdict->subject.n)
        memcpy(texts + verdict->iss.n, verdict->subject.p, verdict->subject.n);
    pthread_mutex_lock(&t->lock);
    p = room(set_of(t, token), token, now_us);
    free(p->texts);
    memcpy(p->token, token, KM_SHA256_LEN);
    p->v = *verdict;
    p->texts = texts;
    p->v.iss = km_str(texts, verdict->iss.n);
    p->v.subject = km_str(texts + verdict->iss.n, verdict->subject.n);
    p->used = ++t->clock;
    pthread_mutex_unlock(&t->lock);
}
