/* SPDX-License-Identifier: Apache-2.0 */
/* yaml.c - see yaml.h for the contract.
 *
 * libyaml gives events; recursive descent over them (bounded by max_depth) builds nodes whose
 * meaning is PyYAML's: implicit types (scalar.c), standard tags, anchors, merge keys, last
 * duplicate wins.
 *
 *     event ── node() ──┬── scalar()            text, type, value
 *                       ├── sequence()          items
 *                       ├── mapping()           pairs; `<<` apart; then merged + own (pairs.c)
 *                       └── alias               the very same node again
 *
 * An alias costs a pointer, but whoever walks the tree pays for what it stands for.  So every
 * node knows its weight (nodes below it, aliases expanded) and the parse counts weights, which
 * stops a bomb long before anything is built from it.  For the same reason merges count what
 * they copy.
 *
 * Refused though YAML allows it, as PyYAML's safe loader does or because a configuration has no
 * use for it: tags of one's own, !!binary, !!omap, !!pairs, !!set, sequences or mappings as
 * keys, a second document, an alias inside its own anchor.
 */
#include "config/yaml.h"

#include <yaml.h>

#include "config/pairs.h"
#include "config/scalar.h"
#include "config/yaml_part.h"

/* A node under construction: the public part first. */
struct ynode {
    struct km_node node;
    size_t weight; /* nodes at and below it, aliases expanded */
    unsigned height; /* levels at and below it */
    bool open; /* still being read: an alias to it would be a cycle */
    bool merge; /* a plain `<<`: it can only be a key */
};

struct anchor {
    struct anchor *next;
    struct km_str name;
    struct ynode *node;
};

struct list {
    struct ynode **v;
    size_t n, cap;
};

struct parse {
    yaml_parser_t yaml;
    struct km_arena *arena;
    struct km_diags *diags;
    const struct km_yaml_limits *limits;
    struct km_err *err;
    struct km_str file, text;
    struct anchor *anchors;
    size_t total; /* weight spent so far */
    bool aliased; /* an alias was used */
    bool tabs; /* there is one, so spans are noted */
    struct km_yaml_span *spans; /* of quoted and block scalars */
    size_t nspans, cap_spans;
};

static int node(struct parse *p, const yaml_event_t *event, unsigned depth, struct ynode **ret);

static int oom(struct parse *p)
{
    return km_fail(p->err, KM_E_NOMEM, "configuration '%.*s' needs too much memory",
                   KM_STR_ARG(p->file));
}

static int bad(struct parse *p, const char *code, yaml_mark_t mark, const char *help,
               const char *what)
{
    km_diag_add_at(p->diags, KM_DIAG_ERROR, code, p->file, (unsigned)mark.line + 1,
                   (unsigned)mark.column + 1, help, "%s", what);
    return km_fail(p->err, KM_E_CONFIG, "%.*s:%zu:%zu: %s", KM_STR_ARG(p->file), mark.line + 1,
                   mark.column + 1, what);
}

/* Counts nodes against the limit. */
static int spend(struct parse *p, size_t weight, yaml_mark_t mark)
{
    p->total += weight;
    if (p->total <= p->limits->max_nodes)
        return 0;
    return p->aliased ? bad(p, "E0006", mark, "aliases count as often as they are used",
                            "the document is too large once its aliases are expanded")
                      : bad(p, "E0006", mark, "its keys, values and lists are counted",
                            "the document has more entries than a configuration may");
}

static int push(struct parse *p, struct list *l, struct ynode *item)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 8;
        struct ynode **v = km_arena_alloc(p->arena, cap * sizeof *v);

        if (!v)
            return oom(p);
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = item;
    return 0;
}

/* The reader meets bad bytes long before the parser is there, and knows their offset only. */
static yaml_mark_t mark_at(const struct parse *p, size_t offset)
{
    yaml_mark_t mark = { 0 };

    for (size_t i = 0; i < offset && i < p->text.n; i++) {
        if (p->text.p[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)p->text.p[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* The text from a place on. */
static struct km_str text_at(const struct parse *p, yaml_mark_t mark)
{
    size_t i = 0;

    for (size_t line = 0; line < mark.line && i < p->text.n; i++)
        line += p->text.p[i] == '\n';
    for (size_t column = 0; column < mark.column && i < p->text.n; column++)
        for (i++; i < p->text.n && ((unsigned char)p->text.p[i] & 0xc0) == 0x80;)
            i++;
    return km_str_skip(p->text, i);
}

/* A scalar in which tabs are text. */
static int note_span(struct parse *p, const yaml_event_t *event)
{
    size_t from;

    if (!p->tabs || event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        return 0;
    if (p->nspans == p->cap_spans) {
        size_t cap = p->cap_spans ? p->cap_spans * 2 : 64;
        struct km_yaml_span *v = km_arena_alloc(p->arena, cap * sizeof *v);

        if (!v)
            return oom(p);
        if (p->nspans)
            memcpy(v, p->spans, p->nspans * sizeof *v);
        p->spans = v;
        p->cap_spans = cap;
    }
    from = event->start_mark.index;
    if (event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
        event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE) { /* its `|` line is no text yet */
        struct km_str head = text_at(p, event->start_mark);

        for (size_t i = 0; i < head.n && head.p[i] != '\n'; i++)
            from += ((unsigned char)head.p[i] & 0xc0) != 0x80;
    }
    p->spans[p->nspans++] = (struct km_yaml_span){ from, event->end_mark.index };
    return 0;
}

static int no_tabs(struct parse *p)
{
    size_t offset;

    if (!p->tabs || !km_yaml_find_tab(p->text, p->spans, p->nspans, &offset))
        return 0;
    return bad(p, "E0001", mark_at(p, offset),
               "write spaces instead: YAML takes no tabs outside of quoted text",
               "there is a tab here");
}

/* The next event; a syntax error becomes a diagnostic. */
static int next(struct parse *p, yaml_event_t *event)
{
    const yaml_parser_t *y = &p->yaml;
    yaml_mark_t mark;
    struct km_yaml_words words;
    char what[256];

    if (yaml_parser_parse(&p->yaml, event))
        return 0;
    if (y->error == YAML_MEMORY_ERROR)
        return oom(p);
    mark = y->error == YAML_READER_ERROR ? mark_at(p, y->problem_offset) : y->problem_mark;
    words = km_yaml_explain(y->context, y->problem, text_at(p, mark));
    if (words.what && strstr(y->context ? y->context : "", "flow") != NULL) {
        snprintf(what, sizeof what, "%s: it begins at %zu:%zu", words.what,
                 y->context_mark.line + 1, y->context_mark.column + 1);
        return bad(p, "E0001", mark, words.help, what);
    }
    if (words.what)
        return bad(p, "E0001", words.at_context ? y->context_mark : mark, words.help, words.what);
    snprintf(what, sizeof what, "%s%s%s", y->context ? y->context : "", y->context ? ": " : "",
             y->problem ? y->problem : "not YAML");
    return bad(p, "E0001", mark, NULL, what);
}

static struct ynode *new_node(struct parse *p, yaml_mark_t mark)
{
    struct ynode *n = km_arena_zalloc(p->arena, sizeof *n);

    if (!n)
        return NULL;
    n->node.file = p->file;
    n->node.line = (unsigned)mark.line + 1;
    n->node.column = (unsigned)mark.column + 1;
    n->weight = 1;
    n->height = 1;
    return n;
}

static int remember(struct parse *p, const yaml_char_t *name, yaml_mark_t mark, struct ynode *n)
{
    struct km_str view = km_str_c((const char *)name);
    struct anchor *a;

    if (!name)
        return 0;
    for (a = p->anchors; a; a = a->next)
        if (km_str_eq(a->name, view))
            return bad(p, "E0003", mark, "give each anchor its own name",
                       "this anchor was defined before");
    a = km_arena_alloc(p->arena, sizeof *a);
    if (!a)
        return oom(p);
    *a = (struct anchor){ p->anchors, km_arena_str(p->arena, view), n };
    p->anchors = a;
    return 0;
}

static int alias(struct parse *p, const yaml_event_t *event, unsigned depth, struct ynode **ret)
{
    struct km_str name = km_str_c((const char *)event->data.alias.anchor);
    const struct anchor *a = p->anchors;
    int r;

    while (a && !km_str_eq(a->name, name))
        a = a->next;
    if (!a)
        return bad(p, "E0003", event->start_mark, "an anchor (&name) must come before its alias",
                   "this alias names no anchor");
    if (a->node->open)
        return bad(p, "E0003", event->start_mark, NULL, "this alias stands inside its own anchor");
    if (depth + a->node->height - 1 > p->limits->max_depth)
        return bad(p, "E0005", event->start_mark, NULL, "nested too deeply");
    r = spend(p, a->node->weight, event->start_mark);
    if (r == 0)
        *ret = a->node;
    return r;
}

static const char tag_prefix[] = "tag:yaml.org,2002:";

/* The part of a standard tag after its prefix; other tags whole. */
static struct km_str short_tag(const yaml_char_t *tag)
{
    struct km_str s = km_str_c((const char *)tag);

    if (km_str_starts(s, km_str_c(tag_prefix)))
        return km_str_skip(s, sizeof tag_prefix - 1);
    return s;
}

static int bad_tag(struct parse *p, yaml_mark_t mark)
{
    return bad(p, "E0004", mark,
               "only !!str, !!int, !!float, !!bool, !!null, !!timestamp, "
               "!!seq and !!map mean something here",
               "this tag is not supported");
}

static int scalar_kind(struct parse *p, const yaml_event_t *event, struct km_str text,
                       enum km_scalar *ret)
{
    static const struct {
        const char *tag;
        enum km_scalar kind;
    } tags[] = { { "str", KM_SCALAR_STR },     { "int", KM_SCALAR_INT },
                 { "float", KM_SCALAR_FLOAT }, { "bool", KM_SCALAR_BOOL },
                 { "null", KM_SCALAR_NULL },   { "timestamp", KM_SCALAR_TIME } };
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct km_str tag;

    if (!event->data.scalar.tag || !*event->data.scalar.tag) {
        *ret = plain ? km_scalar_resolve(text) : KM_SCALAR_STR;
        return 0;
    }
    tag = short_tag(event->data.scalar.tag);
    if (km_str_eq(tag, KM_STR("!"))) {
        *ret = km_scalar_resolve(text); /* PyYAML: "!" alone asks for the implicit type */
        return 0;
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (km_str_eq(tag, km_str_c(tags[i].tag))) {
            *ret = tags[i].kind;
            return 0;
        }
    }
    return bad_tag(p, event->start_mark);
}

static int scalar(struct parse *p, const yaml_event_t *event, struct ynode *n)
{
    struct km_str text = km_arena_str(
        p->arena, km_str((const char *)event->data.scalar.value, event->data.scalar.length));
    enum km_scalar kind;
    struct km_err why = { 0 };
    int r = scalar_kind(p, event, text, &kind);

    if (r < 0)
        return r;
    if (kind == KM_SCALAR_MERGE || kind == KM_SCALAR_VALUE) {
        n->merge = kind == KM_SCALAR_MERGE;
        n->open = true; /* until mapping() accepts it as a key */
        n->node.type = KM_NODE_STR;
        n->node.text = text;
        return 0;
    }
    if (km_scalar_construct(p->arena, kind, text, &n->node, &why) < 0)
        return bad(p, "E0004", event->start_mark, "quote it if it is meant as text", why.text);
    return 0;
}

/* A value may not be a bare `<<` or `=`: they have no constructor in PyYAML either. */
static int check_value(struct parse *p, const struct ynode *n)
{
    yaml_mark_t mark = { .line = n->node.line - 1, .column = n->node.column - 1 };

    if (!n->open)
        return 0;
    return bad(p, "E0004", mark, "quote it if it is meant as text",
               "'<<' and '=' are only keys in YAML");
}

static void adopt(struct ynode *parent, const struct ynode *child)
{
    parent->weight += child->weight;
    if (child->height >= parent->height)
        parent->height = child->height + 1;
}

/* Reads the items up to the event that ends the collection; check says what an item may be. */
static int items(struct parse *p, yaml_event_type_t end, unsigned depth, struct list *l)
{
    for (;;) {
        yaml_event_t event;
        struct ynode *child = NULL;
        bool is_key = end == YAML_MAPPING_END_EVENT && l->n % 2 == 0;
        int r = next(p, &event);

        if (r < 0)
            return r;
        if (event.type == end) {
            yaml_event_delete(&event);
            return 0;
        }
        r = node(p, &event, depth + 1, &child);
        yaml_event_delete(&event);
        if (r == 0 && !is_key)
            r = check_value(p, child);
        if (r == 0)
            r = push(p, l, child);
        if (r < 0)
            return r;
    }
}

static int sequence(struct parse *p, const yaml_event_t *event, unsigned depth, struct ynode *n)
{
    struct km_str tag = short_tag(event->data.sequence_start.tag);
    struct list l = { 0 };
    int r;

    if (tag.n && !km_str_eq(tag, KM_STR("seq")) && !km_str_eq(tag, KM_STR("!")))
        return bad_tag(p, event->start_mark);
    n->node.type = KM_NODE_SEQ;
    r = items(p, YAML_SEQUENCE_END_EVENT, depth, &l);
    if (r < 0)
        return r;
    for (size_t i = 0; i < l.n; i++)
        adopt(n, l.v[i]);
    n->node.n = l.n;
    n->node.v = (const struct km_node *const *)l.v;
    return 0;
}

static int bad_merge(struct parse *p, const struct km_node *at)
{
    yaml_mark_t mark = { .line = at->line - 1, .column = at->column - 1 };

    return bad(p, "E0004", mark, NULL, "'<<' takes a mapping or a list of mappings");
}

/* Counts what merging `value` copies into *room, checking that it can be merged. */
static int merge_size(struct parse *p, const struct ynode *value, size_t *room)
{
    yaml_mark_t mark = { .line = value->node.line - 1, .column = value->node.column - 1 };
    const struct km_node *n = &value->node;

    if (n->type == KM_NODE_MAP) {
        *room += n->n;
        return spend(p, value->weight, mark);
    }
    if (n->type != KM_NODE_SEQ)
        return bad_merge(p, n);
    for (size_t i = 0; i < n->n; i++) {
        if (n->v[i]->type != KM_NODE_MAP)
            return bad_merge(p, n->v[i]);
        *room += n->v[i]->n;
    }
    return spend(p, value->weight, mark);
}

static int check_keys(struct parse *p, const struct list *l, struct ynode *n, size_t *room)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < l->n; i += 2) {
        struct ynode *key = l->v[i];
        yaml_mark_t mark = { .line = key->node.line - 1, .column = key->node.column - 1 };

        if (key->node.type == KM_NODE_SEQ || key->node.type == KM_NODE_MAP)
            return bad(p, "E0004", mark, NULL, "a key must be a scalar");
        if (key->merge)
            r = merge_size(p, l->v[i + 1], room);
        adopt(n, key);
        adopt(n, l->v[i + 1]);
        *room += 1;
    }
    n->weight += *room;
    return r;
}

/* Merged pairs first, in order, then the mapping's own, which override them. */
static int fill_pairs(struct parse *p, const struct list *l, size_t room, struct km_node *n)
{
    struct km_pairs ps KM_CLEANUP(km_pairs_done);
    int r = km_pairs_init(&ps, p->arena, p->diags, room);

    for (size_t i = 0; r == 0 && i < l->n; i += 2)
        if (l->v[i]->merge)
            r = km_pairs_merge(&ps, &l->v[i + 1]->node);
    for (size_t i = 0; r == 0 && i < l->n; i += 2)
        if (!l->v[i]->merge)
            r = km_pairs_own(&ps, &l->v[i]->node, &l->v[i + 1]->node);
    if (r < 0)
        return oom(p);
    n->n = ps.n;
    n->k = ps.k;
    n->v = ps.v;
    n->lost = ps.lost;
    return 0;
}

static int mapping(struct parse *p, const yaml_event_t *event, unsigned depth, struct ynode *n)
{
    struct km_str tag = short_tag(event->data.mapping_start.tag);
    struct list l = { 0 };
    size_t room = 0;
    int r;

    if (tag.n && !km_str_eq(tag, KM_STR("map")) && !km_str_eq(tag, KM_STR("!")))
        return bad_tag(p, event->start_mark);
    n->node.type = KM_NODE_MAP;
    r = items(p, YAML_MAPPING_END_EVENT, depth, &l);
    if (r == 0)
        r = check_keys(p, &l, n, &room);
    if (r == 0 && room)
        r = fill_pairs(p, &l, room, &n->node);
    return r;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    default:
        return event->data.mapping_start.anchor;
    }
}

static int node(struct parse *p, const yaml_event_t *event, unsigned depth, struct ynode **ret)
{
    struct ynode *n;
    int r;

    p->aliased = p->aliased || event->type == YAML_ALIAS_EVENT;
    if (event->type == YAML_ALIAS_EVENT)
        return alias(p, event, depth, ret);
    if (depth > p->limits->max_depth)
        return bad(p, "E0005", event->start_mark, NULL, "nested too deeply");
    n = new_node(p, event->start_mark);
    if (!n)
        return oom(p);
    r = spend(p, 1, event->start_mark);
    if (r == 0)
        r = remember(p, anchor_of(event), event->start_mark, n);
    if (r < 0)
        return r;
    if (event->type == YAML_SCALAR_EVENT) {
        r = note_span(p, event);
        if (r == 0)
            r = scalar(p, event, n);
    } else {
        n->open = true;
        r = event->type == YAML_SEQUENCE_START_EVENT ? sequence(p, event, depth, n)
                                                     : mapping(p, event, depth, n);
        n->open = false;
    }
    if (r == 0)
        *ret = n;
    return r;
}

/* Stream start, at most one document, stream end. */
static int document(struct parse *p, const struct km_node **ret)
{
    yaml_mark_t start = { 0 };
    struct ynode *root = new_node(p, start);
    yaml_event_type_t type = YAML_NO_EVENT;
    bool seen = false;

    if (!root)
        return oom(p);
    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;
        int r = next(p, &event);

        if (r < 0)
            return r;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && seen) {
            r = bad(p, "E0002", event.start_mark, "keep one document a file",
                    "a second document starts here");
        } else if (type == YAML_DOCUMENT_START_EVENT) {
            seen = true;
        } else if (type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT ||
                   type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) {
            r = node(p, &event, 1, &root);
            if (r == 0)
                r = check_value(p, root);
        }
        yaml_event_delete(&event);
        if (r < 0)
            return r;
    }
    *ret = &root->node;
    return 0;
}

int km_yaml_parse(struct km_arena *arena, struct km_str file, struct km_str text,
                  const struct km_yaml_limits *limits, struct km_diags *diags,
                  const struct km_node **ret_root, struct km_err *err)
{
    struct parse p = { .arena = arena, .diags = diags, .limits = limits, .err = err };
    yaml_mark_t start = { 0 };
    int r;

    /* PyYAML skips an editor's byte order mark; libyaml's block mapping ends at the second line,
     * for it counts the mark as a column. */
    if (km_str_starts(text, KM_STR("\xef\xbb\xbf")))
        text = km_str_skip(text, 3);
    p.text = text;
    p.file = km_arena_str(arena, file);
    km_diags_source(diags, file, text);
    if (text.n > limits->max_bytes)
        return bad(&p, "E0006", start, NULL, "the file is too large for a configuration");
    if (!yaml_parser_initialize(&p.yaml))
        return oom(&p);
    yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p.yaml, (const unsigned char *)(text.p ? text.p : ""), text.n);
    p.tabs = km_str_chr(text, '\t') < text.n;
    r = document(&p, ret_root);
    if (r == 0)
        r = no_tabs(&p);
    yaml_parser_delete(&p.yaml);
    if (r == 0 && km_arena_overflowed(arena))
        r = oom(&p);
    return r;
}
