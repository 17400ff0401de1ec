/* SPDX-License-Identifier: Apache-2.0 */
/* filter_tags.c - deployments by the tags of a call, by LiteLLM's rules (its tag based routing of
 * 1.106.2, but for regular expressions).
 *
 *     "paid"    a deployment must have it: one of several (match_any), or all of them
 *     "&eu"     it must have this one in any case
 *     "!free"   it must not have this one
 *     "default" on a deployment: it serves calls without tags, and those whose tags nobody has
 *
 * Where the tags of a call are known in its group and no deployment has them, the call is refused:
 * the ones with `default` are no stand-in for a tag that somebody has.
 */
#include "policy/filter.h"
#include "policy/router.h"

static bool has(const struct km_tags *tags, struct km_str tag)
{
    for (size_t i = 0; i < tags->n; i++)
        if (km_str_eq(tags->v[i], tag))
            return true;
    return false;
}

enum form { PLAIN, NEEDED, BARRED };

/* A mark with nothing behind it says nothing. */
static bool split(struct km_str tag, enum form form, struct km_str *ret)
{
    const char mark = tag.n ? tag.p[0] : 0;
    const enum form is = mark == '&' ? NEEDED : mark == '!' ? BARRED : PLAIN;

    *ret = is == PLAIN ? tag : km_str_skip(tag, 1);
    return is == form && ret->n > 0;
}

static bool any_of(const struct km_filter_ask *ask, enum form form)
{
    struct km_str ignored;

    for (size_t i = 0; i < ask->tags.n; i++)
        if (split(ask->tags.v[i], form, &ignored))
            return true;
    return false;
}

/* Does it have what it must and nothing that it must not? */
static bool is_allowed(const struct km_filter_ask *ask, const struct km_tags *own)
{
    struct km_str tag;

    for (size_t i = 0; i < ask->tags.n; i++)
        if ((split(ask->tags.v[i], NEEDED, &tag) && !has(own, tag)) ||
            (split(ask->tags.v[i], BARRED, &tag) && has(own, tag)))
            return false;
    return true;
}

static bool matches(const struct km_filter_ask *ask, const struct km_tags *own)
{
    bool all = true, one = false;
    struct km_str tag;

    for (size_t i = 0; i < ask->tags.n; i++) {
        if (!split(ask->tags.v[i], PLAIN, &tag))
            continue;
        if (has(own, tag))
            one = true;
        else
            all = false;
    }
    return ask->tags_match_any ? one : own->n && all;
}

static const struct km_tags none = { NULL, 0 };

static const struct km_tags *tags_of(const struct km_candidate *c)
{
    return c->about ? &c->about->tags : &none;
}

static bool is_default(const struct km_candidate *c)
{
    return has(tags_of(c), KM_STR("default"));
}

/* Has any of the group one of the plain tags, allowed or not? */
static bool are_known(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n)
{
    struct km_str tag;

    for (size_t i = 0; i < ask->tags.n; i++)
        for (size_t k = 0; split(ask->tags.v[i], PLAIN, &tag) && k < n; k++)
            if (has(tags_of(&v[k]), tag))
                return true;
    return false;
}

struct found {
    bool matching, defaults;
};

static struct found look(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                         const uint8_t *why)
{
    struct found f = { false, false };

    for (size_t i = 0; i < n; i++) {
        if (why[i] || !is_allowed(ask, tags_of(&v[i])))
            continue;
        f.matching = f.matching || matches(ask, tags_of(&v[i]));
        f.defaults = f.defaults || is_default(&v[i]);
    }
    return f;
}

/* May it serve a call that has plain tags? */
static bool serves_tagged(const struct km_filter_ask *ask, const struct km_candidate *c,
                          const struct found *f, bool known)
{
    if (!is_allowed(ask, tags_of(c)))
        return false;
    return f->matching ? matches(ask, tags_of(c)) : !known && is_default(c);
}

static bool any_default(const struct km_candidate *v, size_t n, const uint8_t *why)
{
    for (size_t i = 0; i < n; i++)
        if (!why[i] && is_default(&v[i]))
            return true;
    return false;
}

/* A call without plain tags goes to the ones with `default`, where there are some; what it must
 * have it may find elsewhere. */
static bool serves_others(const struct km_filter_ask *ask, const struct km_candidate *c,
                          bool defaults)
{
    return is_allowed(ask, tags_of(c)) && (any_of(ask, NEEDED) || !defaults || is_default(c));
}

void km_filter_tags(const struct km_filter_ask *ask, const struct km_candidate *v, size_t n,
                    uint8_t *why)
{
    const bool tagged = any_of(ask, PLAIN);
    const struct found f = tagged ? look(ask, v, n, why) : (struct found){ false, false };
    const bool known = tagged && !f.matching && (ask->tags_declared || are_known(ask, v, n));
    const bool defaults = !tagged && any_default(v, n, why);

    for (size_t i = 0; i < n; i++)
        if (!why[i] &&
            !(tagged ? serves_tagged(ask, &v[i], &f, known) : serves_others(ask, &v[i], defaults)))
            why[i] = KM_LEFT_TAGS;
}
