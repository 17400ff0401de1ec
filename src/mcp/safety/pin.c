/* SPDX-License-Identifier: Apache-2.0 */
/* pin.c - see pin.h for the contract.
 *
 *     "server" ──> seen ──> tool ──> tool ...          a map of servers, a map of its tools
 *                            └── definitions: hash, accepted, flags, when
 *
 * A tool without a name holds the kinds of clients whose lists were looked at, as definitions.
 *
 * What state a tool has is worked out from its definitions when it is asked for, so that there is
 * nothing to keep in step: an accepted definition is fine, one that hides something is fine only
 * when a person accepted it, any other is new or changed.
 */
#include "mcp/safety/pin.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "base/map.h"
#include "base/time.h"
#include "mcp/safety/shown_args.h"
#include "mcp/schema.h"
#include "store/pins.h"

#define SERVERS_MOST 10000
#define TOOL_BYTES ((size_t)4 * 1024 * 1024) /* of a definition whose text is kept */
#define TOOLS_MOST 20000 /* of a server */

struct definition {
    uint8_t hash[32];
    enum km_pin_accepted accepted;
    bool kept; /* the store has its text */
    unsigned flags;
    int64_t first_us;
};

struct tool {
    size_t n;
    size_t last; /* which one was offered last; of one list, the first that is not accepted */
    uint64_t listed; /* in which look that was */
    uint64_t look; /* when all were offered it last: a number of p->looks; 0: not since the start */
    struct definition v[KM_PINS_OF_TOOL];
};

struct km_pins {
    pthread_mutex_t lock;
    struct km_map *servers; /* of struct km_map of struct tool */
    size_t definitions, texts; /* texts: of those, that are kept */
    uint64_t looks;
    _Atomic uint64_t generation;
};

const char *km_pin_state_name(enum km_pin_state state)
{
    static const char *const names[] = { "ok", "new", "changed", "flagged", "gone" };

    return names[state];
}

#define MEMBERS 6
static const char *const members[MEMBERS] = { "name",         "title",       "description",
                                              "inputSchema", "outputSchema", "annotations" };

int km_pin_digest(const struct km_json *tool, uint8_t ret[32], struct km_err *err)
{
    uint8_t all[MEMBERS][33] = { { 0 } };
    int r = 0;

    for (size_t i = 0; r == 0 && i < MEMBERS; i++) {
        const struct km_json *v = km_json_get(tool, members[i]);

        all[i][0] = v != NULL; /* one that is not there is not one that is empty */
        if (v)
            r = km_json_digest(v, all[i] + 1, err);
    }
    km_sha256(km_str((const char *)all, sizeof all), ret);
    return r;
}

void km_pin_text(struct km_str tool, struct km_buf *out)
{
    struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(TOOL_BYTES);
    const struct km_json *root, *v;
    struct km_arena arena;

    km_arena_init(&arena, 16 * TOOL_BYTES, NULL);
    if (km_json_parse(&arena, tool, &root, NULL) == 0) {
        for (size_t i = 1; i < MEMBERS; i++) /* its name is beside it */
            if ((v = km_json_get(root, members[i])) != NULL) {
                km_buf_printf(&said, "%c\"%s\":", said.n ? ',' : '{', members[i]);
                km_json_write(v, &said);
            }
        km_buf_str(&said, said.n ? KM_STR("}") : KM_STR("{}"));
        if (km_json_parse(&arena, km_buf_view(&said), &root, NULL) == 0)
            (void)km_args_show(root, KM_PIN_TEXT_BYTES, "", out);
    }
    km_arena_done(&arena);
}

/* --- the tables --- */

struct km_pins *km_pins_new(void)
{
    struct km_pins *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->servers = km_map_new(SERVERS_MOST);
    return p->servers ? p : km_pins_free(p);
}

static void tools_free(void *map)
{
    km_map_free(map, free);
}

struct km_pins *km_pins_free(struct km_pins *p)
{
    if (!p)
        return NULL;
    km_map_free(p->servers, tools_free);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

static struct tool *find(const struct km_pins *p, struct km_str server, struct km_str name)
{
    struct km_map *tools = km_map_get(p->servers, server);

    return tools ? km_map_get(tools, name) : NULL;
}

/* The tool, made where it is not there; NULL: there is no room. */
static struct tool *tool_of(struct km_pins *p, struct km_str server, struct km_str name)
{
    struct km_map *tools = km_map_get(p->servers, server);
    struct tool *t = tools ? km_map_get(tools, name) : NULL;

    if (t)
        return t;
    if (!tools) {
        tools = km_map_new(TOOLS_MOST);
        if (!tools || km_map_set(p->servers, server, tools, NULL) < 0) {
            km_map_free(tools, NULL);
            return NULL;
        }
    }
    t = calloc(1, sizeof *t);
    if (t && km_map_set(tools, name, t, NULL) < 0) {
        free(t);
        t = NULL;
    }
    return t;
}

static struct definition *defined(struct tool *t, const uint8_t *hash)
{
    for (size_t i = 0; t && i < t->n; i++)
        if (memcmp(t->v[i].hash, hash, sizeof t->v[i].hash) == 0)
            return &t->v[i];
    return NULL;
}

static struct km_pin_row row_of(struct km_str server, struct km_str name,
                                const struct definition *d)
{
    struct km_pin_row row = { .server = server,
                              .tool = name,
                              .accepted = d->accepted,
                              .flags = d->flags,
                              .first_us = d->first_us };

    memcpy(row.hash, d->hash, sizeof row.hash);
    return row;
}

/* Room for one more: the oldest that nobody accepted goes.  NULL: there is none. */
static struct definition *room(struct km_pins *p, struct tool *t, struct km_store *store,
                               struct km_str server, struct km_str name)
{
    if (t->n < KM_PINS_OF_TOOL) {
        if (p->definitions >= KM_PINS_MOST)
            return NULL;
        p->definitions++;
        return &t->v[t->n++];
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].accepted == KM_PIN_PENDING) {
            struct km_pin_row row = row_of(server, name, &t->v[i]);

            if (store)
                km_store_pin_drop(store, &row);
            p->texts -= t->v[i].kept;
            t->last -= t->last > i;
            memmove(&t->v[i], &t->v[i + 1], (t->n - i - 1) * sizeof t->v[0]);
            return &t->v[t->n - 1];
        }
    return NULL;
}

static void load_row(void *ctx, const struct km_pin_row *row)
{
    struct km_pins *p = ctx;
    struct tool *t = tool_of(p, row->server, row->tool);
    struct definition *d = t ? room(p, t, NULL, row->server, row->tool) : NULL;

    if (!d)
        return;
    *d = (struct definition){
        .accepted = row->accepted, .flags = row->flags, .first_us = row->first_us, .kept = row->kept
    };
    p->texts += d->kept;
    memcpy(d->hash, row->hash, sizeof d->hash);
    t->last = (size_t)(d - t->v);
}

int km_pins_load(struct km_pins *p, struct km_store *store, struct km_err *err)
{
    return km_store_pins(store, load_row, p, err);
}

/* --- states --- */

static bool any_accepted(const struct tool *t)
{
    for (size_t i = 0; t && i < t->n; i++)
        if (t->v[i].accepted != KM_PIN_PENDING)
            return true;
    return false;
}

static enum km_pin_state state_of(const struct tool *t, const struct definition *d, unsigned flags)
{
    if (d && d->accepted == KM_PIN_BY_PERSON)
        return KM_PIN_OK;
    if (!d || d->accepted == KM_PIN_PENDING)
        return any_accepted(t) ? KM_PIN_CHANGED : flags ? KM_PIN_FLAGGED : KM_PIN_NEW;
    return flags ? KM_PIN_FLAGGED : KM_PIN_OK;
}

enum km_pin_state km_pins_state(struct km_pins *p, struct km_str server,
                                const struct km_pin_tool *tool)
{
    enum km_pin_state state;
    struct tool *t;

    pthread_mutex_lock(&p->lock);
    t = find(p, server, tool->name);
    state = state_of(t, defined(t, tool->hash), tool->flags);
    pthread_mutex_unlock(&p->lock);
    return state;
}

uint64_t km_pins_generation(const struct km_pins *p)
{
    return p->generation;
}

/* --- a list came --- */

static void tell(const struct km_pin_look *look, const struct km_pin_news *news)
{
    if (look->news)
        look->news(look->ctx, news);
}

/* The accepted one that was there last, for people to compare d with (NULL: with nothing). */
static const uint8_t *before(const struct tool *t, const struct definition *d)
{
    for (size_t i = t->n; i > 0; i--)
        if (t->v[i - 1].accepted != KM_PIN_PENDING && &t->v[i - 1] != d)
            return t->v[i - 1].hash;
    return NULL;
}

/* Written with its text, as long as there is room for one more. */
static void write_down(struct km_pins *p, const struct km_pin_look *look, size_t i,
                       struct definition *d)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * KM_PIN_TEXT_BYTES);
    struct km_pin_row row = row_of(look->server, look->tools[i].name, d);

    if (!look->store)
        return;
    if (look->text && !d->kept && p->texts < KM_PIN_TEXTS_MOST)
        look->text(look->ctx, i, &text);
    if (text.n && !km_buf_failed(&text)) {
        row.definition = km_buf_view(&text);
        d->kept = true;
        p->texts++;
    }
    km_store_pin_put(look->store, &row);
}

/* d is offered.  A list may have a name more than once: then no accepted one hides another. */
static void set_last(const struct km_pins *p, struct tool *t, const struct definition *d)
{
    const struct definition *last = &t->v[t->last];

    if (t->listed != p->looks || state_of(t, last, last->flags) == KM_PIN_OK)
        t->last = (size_t)(d - t->v);
    t->listed = p->looks;
}

/* first: it is accepted as it is, being the first sight of its server, or of what that shows to
 * this kind of client beside what it shows to all. */
static void look_at(struct km_pins *p, const struct km_pin_look *look, size_t i, bool first)
{
    const struct km_pin_tool *tool = &look->tools[i];
    struct tool *t = tool_of(p, look->server, tool->name);
    struct definition *d = defined(t, tool->hash);
    struct km_pin_news news = { .tool = tool->name, .hash = tool->hash, .flags = tool->flags };
    bool known = d != NULL;

    if (!t)
        return; /* no room: it stays new, which is what it is */
    if (look->whole)
        t->look = p->looks;
    news.before = before(t, NULL);
    if (!d)
        d = room(p, t, look->store, look->server, tool->name);
    if (d && !known) {
        *d = (struct definition){ .accepted = first ? KM_PIN_FIRST_SIGHT : KM_PIN_PENDING,
                                  .flags = tool->flags,
                                  .first_us = km_wall_us() };
        memcpy(d->hash, tool->hash, sizeof d->hash);
    }
    /* What an older kanmon remembered has no text yet. */
    if (d && (!known || (!d->kept && look->text && p->texts < KM_PIN_TEXTS_MOST)))
        write_down(p, look, i, d);
    if (d)
        set_last(p, t, d);
    news.state = state_of(t, d, tool->flags);
    if (known)
        return; /* it was told when it came */
    p->generation++;
    if (news.state != KM_PIN_OK)
        tell(look, &news);
}

/* Names that were offered since the start and are not any more. */
static void look_for_gone(struct km_pins *p, const struct km_pin_look *look)
{
    struct km_map *tools = km_map_get(p->servers, look->server);
    struct km_str name;
    void *v;

    for (size_t it = 0; tools && km_map_next(tools, &it, &name, &v);) {
        struct tool *t = v;
        struct km_pin_news news = { .tool = name, .state = KM_PIN_GONE, .before = before(t, NULL) };

        if (t->look == 0 || t->look == p->looks)
            continue;
        t->look = 0;
        tell(look, &news);
    }
}

/* Remembers that this kind of client was shown a list; false: it was before, or it cannot be
 * remembered. */
static bool is_new_kind(struct km_pins *p, const struct km_pin_look *look)
{
    struct tool *kinds = look->kind ? tool_of(p, look->server, KM_STR_NONE) : NULL;
    struct definition *d;
    struct km_pin_row row;

    if (!kinds || defined(kinds, look->kind))
        return false;
    d = room(p, kinds, look->store, look->server, KM_STR_NONE);
    if (!d)
        return false;
    *d = (struct definition){ .accepted = KM_PIN_FIRST_SIGHT, .first_us = km_wall_us() };
    memcpy(d->hash, look->kind, sizeof d->hash);
    row = row_of(look->server, KM_STR_NONE, d);
    if (look->store)
        km_store_pin_put(look->store, &row);
    return true;
}

void km_pins_look(struct km_pins *p, const struct km_pin_look *look, size_t *ret_first)
{
    bool first, new_kind;

    pthread_mutex_lock(&p->lock);
    first = !km_map_get(p->servers, look->server);
    new_kind = is_new_kind(p, look);
    p->looks++;
    for (size_t i = 0; i < look->n; i++)
        look_at(p, look, i, first || (new_kind && !find(p, look->server, look->tools[i].name)));
    if (look->whole)
        look_for_gone(p, look);
    pthread_mutex_unlock(&p->lock);
    *ret_first = first ? look->n : 0;
}

/* --- a person accepts --- */

static bool named(const struct definition *d, struct km_str hash)
{
    char hex[65];

    km_hex(hex, d->hash, sizeof d->hash);
    return km_str_starts(km_str(hex, 64), hash);
}

static size_t accept_tool(const struct km_pin_accept *a, struct km_str name, struct tool *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        struct definition *d = &t->v[i];
        struct km_pin_news news = { name, KM_PIN_OK, d->hash, NULL, d->flags };
        struct km_pin_row row;

        if ((a->hash.n ? !named(d, a->hash) : i != t->last) ||
            state_of(t, d, d->flags) == KM_PIN_OK)
            continue;
        d->accepted = KM_PIN_BY_PERSON;
        row = row_of(a->server, name, d);
        if (a->store)
            km_store_pin_put(a->store, &row);
        if (a->accepted)
            a->accepted(a->ctx, &news);
        n++;
    }
    return n;
}

size_t km_pins_accept(struct km_pins *p, const struct km_pin_accept *a)
{
    struct km_map *tools;
    struct km_str name;
    size_t n = 0;
    void *v;

    pthread_mutex_lock(&p->lock);
    tools = km_map_get(p->servers, a->server);
    for (size_t it = 0; tools && km_map_next(tools, &it, &name, &v);)
        if (!a->tool.n || km_str_eq(a->tool, name))
            n += accept_tool(a, name, v);
    p->generation += n > 0;
    pthread_mutex_unlock(&p->lock);
    return n;
}

/* --- for people --- */

static void put_tool(struct km_str server, struct km_str name, const struct tool *t,
                     struct km_buf *out)
{
    const struct definition *d = &t->v[t->last];
    const uint8_t *old = before(t, d);
    enum km_pin_state state = t->n ? state_of(t, d, d->flags) : KM_PIN_OK;
    char hex[65], when[KM_TIME_ISO_LEN + 1];

    if (state == KM_PIN_OK)
        return;
    km_hex(hex, d->hash, sizeof d->hash);
    km_time_iso(d->first_us, when);
    km_buf_str(out, out->n && out->p[out->n - 1] == '}' ? KM_STR(",") : KM_STR_NONE);
    km_buf_str(out, KM_STR("{\"server\":"));
    km_buf_json(out, server);
    km_buf_str(out, KM_STR(",\"tool\":"));
    km_args_text(name, out);
    km_buf_printf(out, ",\"state\":\"%s\",\"flags\":", km_pin_state_name(state));
    km_scan_words(d->flags, out);
    km_buf_printf(out, ",\"hash\":\"%s\",\"since\":\"%s\"", hex, when);
    if (old && state != KM_PIN_NEW) {
        km_hex(hex, old, 32);
        km_buf_printf(out, ",\"before\":\"%s\"", hex);
    }
    km_buf_byte(out, '}');
}

void km_pins_json(struct km_pins *p, struct km_str server, struct km_buf *out)
{
    struct km_str name, tool;
    void *tools, *v;

    pthread_mutex_lock(&p->lock);
    for (size_t it = 0; km_map_next(p->servers, &it, &name, &tools);) {
        if (server.n && !km_str_eq(server, name))
            continue;
        for (size_t at = 0; km_map_next(tools, &at, &tool, &v);)
            put_tool(name, tool, v, out);
    }
    pthread_mutex_unlock(&p->lock);
}
