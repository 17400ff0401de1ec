/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - see guard.h for the contract.
 *
 *     text ── nesting ── parse ── one statement ── walk: node, fields, names ── verdict
 *                                                    ^         │
 *                                                    └ members ┘
 *
 * The walk knows no node by heart.  A message of protobuf-c carries its description: the names of
 * its fields, their types, and where they are.  When the guard is made the rules (guard_nodes.c)
 * are laid over those descriptions; from then on a message is looked up by the address of its
 * description, and each field that is set is looked up by its place.  Nothing that the library
 * can say is passed over because nobody expected it there.
 */
#include "servers/postgres/guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "servers/postgres/guard_inside.h"
#include "servers/postgres/parse.h"
#include "servers/postgres/syntax.h"

#define NEVER 255

static const char *const modes[] = { "read-only", "dml", "ddl", "admin" };

struct km_str km_pg_mode_name(enum km_pg_mode mode)
{
    return km_str_c(modes[mode]);
}

bool km_pg_mode_parse(struct km_str name, enum km_pg_mode *ret_mode)
{
    for (int i = 0; i < 4; i++)
        if (km_str_eq(km_str_c(modes[i]), name)) {
            *ret_mode = (enum km_pg_mode)i;
            return true;
        }
    return false;
}

/* --- the rules, laid over the library's descriptions --- */

static bool has_word(const char *words, const char *word)
{
    struct km_str rest = km_str_c(words), part;

    while (km_str_split(&rest, ' ', &part))
        if (km_str_eq(part, km_str_c(word)))
            return true;
    return false;
}

static uint8_t mode_of(const struct km_pg_node_rule *rule, const char *field)
{
    if (!rule)
        return NEVER;
    if (has_word(rule->fields, field))
        return (uint8_t)rule->mode;
    return rule->more && has_word(rule->more, field) ? (uint8_t)rule->more_mode : NEVER;
}

static const struct km_pg_node_rule *rule_of(const char *name)
{
    for (size_t i = 0; i < km_pg_node_nrules; i++)
        if (strcmp(km_pg_node_rules[i].name, name) == 0)
            return &km_pg_node_rules[i];
    return NULL;
}

static void lay_rules(struct km_pg_guard *g)
{
    for (size_t i = 0; i < g->types->n; i++) {
        const struct km_pg_type *t = &g->types->v[i];
        struct km_pg_ruled *ruled = &g->ruled[i];

        ruled->rule = rule_of(t->name);
        if (t->descriptor->n_fields > sizeof ruled->field_mode)
            ruled->rule = NULL; /* too many to know; the wrapper has its own way */
        for (unsigned k = 0; ruled->rule && k < t->descriptor->n_fields; k++)
            ruled->field_mode[k] = mode_of(ruled->rule, t->descriptor->fields[k].name);
    }
}

int km_pg_guard_new(struct km_pg_guard **ret_guard, struct km_err *err)
{
    struct km_pg_guard *g = calloc(1, sizeof *g);
    int r;

    if (!g)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    r = km_pg_parser_new(&g->parser, err);
    if (r < 0) {
        km_pg_guard_free(g);
        return r;
    }
    g->types = km_pg_parser_types(g->parser);
    lay_rules(g);
    *ret_guard = g;
    return 0;
}

struct km_pg_guard *km_pg_guard_free(struct km_pg_guard *guard)
{
    if (guard)
        km_pg_parser_free(guard->parser);
    free(guard);
    return NULL;
}

const struct km_pg_parser *km_pg_guard_parser(const struct km_pg_guard *guard)
{
    return guard->parser;
}

/* --- for the checks --- */

int km_pg_refuse(struct km_pg_walk *w, const char *code, const char *node, int at, const char *hint,
                 const char *fmt, ...)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(2000);
    va_list ap;

    va_start(ap, fmt);
    km_buf_vprintf(&b, fmt, ap);
    va_end(ap);
    w->v->allowed = false;
    w->v->code = code;
    w->v->node = node;
    w->v->at = at;
    w->v->message = km_arena_str(w->arena, km_buf_view(&b));
    w->v->hint = km_str_c(hint ? hint : "write it without this part");
    return KM_E_FORBIDDEN;
}

static int add_ref(struct km_pg_walk *w, const struct km_pg_ref *ref)
{
    struct km_pg_ref *r;

    if (w->v->nrefs == KM_PG_REFS)
        return km_pg_refuse(w, "GUARD_LIMIT", NULL, ref->at, "split the statement",
                            "the statement names more than %d different things", KM_PG_REFS);
    r = km_arena_alloc(w->arena, sizeof *r);
    if (!r)
        return KM_E_NOMEM;
    *r = *ref;
    r->next = w->v->refs;
    w->v->refs = r;
    w->v->nrefs++;
    return 0;
}

int km_pg_refer(struct km_pg_walk *w, enum km_pg_ref_kind kind, struct km_str schema,
                struct km_str name, const char *more, int at)
{
    struct km_pg_ref *r;

    for (r = w->v->refs; r; r = r->next)
        if (r->kind == kind && km_str_eq(r->name, name) && km_str_eq(r->schema, schema))
            return 0;
    return add_ref(w, &(struct km_pg_ref){ kind, schema, name, more, at, NULL, NULL, NULL });
}

static bool same_word(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

int km_pg_refer_pair(struct km_pg_walk *w, struct km_str schema, struct km_str name,
                     const char *left, const char *right, int at)
{
    for (const struct km_pg_ref *r = w->v->refs; r; r = r->next)
        if (r->kind == KM_PG_REF_OPERATOR && km_str_eq(r->name, name) &&
            km_str_eq(r->schema, schema) && same_word(r->left, left) && same_word(r->right, right))
            return 0;
    return add_ref(
        w, &(struct km_pg_ref){ KM_PG_REF_OPERATOR, schema, name, NULL, at, NULL, left, right });
}

/* --- the walk --- */

static int walk(struct km_pg_walk *w, const ProtobufCMessage *m);

static const void *member(const ProtobufCMessage *m, unsigned offset)
{
    return (const char *)m + offset;
}

/* Is a field that is not repeated anything but its zero? */
static bool is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *p = member(m, f->offset);

    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const int *)member(m, f->quantifier_offset) == (int)f->id;
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)p != NULL;
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(const char *const *)p;

        return s && *s;
    }
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)p != 0;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_ENUM:
        return *(const uint32_t *)p != 0;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return *(const uint64_t *)p != 0;
    default:
        return true; /* a type no field has today */
    }
}

static int walk_repeated(struct km_pg_walk *w, const ProtobufCMessage *m,
                         const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)member(m, f->quantifier_offset);
    const ProtobufCMessage *const *items;
    int r = 0;

    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0; /* numbers: nothing inside */
    items = *(const ProtobufCMessage *const *const *)member(m, f->offset);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = walk(w, items[i]);
    return r;
}

static int refuse_field(struct km_pg_walk *w, const struct km_pg_node_rule *rule, const char *field)
{
    static const struct {
        const char *field, *words, *hint;
    } hints[] = {
        { "into_clause", "INTO", "leave out INTO: the rows come back as the result" },
        { "locking_clause", "FOR UPDATE or FOR SHARE", "leave out FOR UPDATE or FOR SHARE" },
    };
    const char *hint = NULL;

    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].field, field) == 0) {
            hint = hints[i].hint;
            field = hints[i].words;
        }
    return km_pg_refuse(w, "GUARD_NODE", rule->name, w->at, hint,
                        "%s with %s is not allowed in mode %s", km_pg_node_words(rule->name), field,
                        modes[w->options->mode]);
}

static int walk_fields(struct km_pg_walk *w, const struct km_pg_ruled *ruled,
                       const ProtobufCMessage *m)
{
    const ProtobufCMessageDescriptor *d = m->descriptor;
    int r = 0;

    for (unsigned i = 0; r == 0 && i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        bool many = f->label == PROTOBUF_C_LABEL_REPEATED;

        if (many ? *(const size_t *)member(m, f->quantifier_offset) == 0 : !is_set(m, f))
            continue;
        if (ruled->field_mode[i] > w->options->mode)
            return refuse_field(w, ruled->rule, f->name);
        if (many)
            r = walk_repeated(w, m, f);
        else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            r = walk(w, *(const ProtobufCMessage *const *)member(m, f->offset));
    }
    return r;
}

static int refuse_node(struct km_pg_walk *w, const char *name, const struct km_pg_node_rule *rule)
{
    bool statement = km_str_ends(km_str_c(name), KM_STR("Stmt"));
    const char *hint = km_pg_node_hint(name);

    if (rule)
        hint = "send a SELECT, or ask the operator for a mode that may change data";
    else if (statement && !hint)
        hint = w->options->mode > KM_PG_READ_ONLY ? "leave it out: no mode allows it"
                                                  : "send a SELECT";
    else if (!statement)
        hint = "write it without this part";
    return km_pg_refuse(w, statement ? "GUARD_STATEMENT" : "GUARD_NODE", name, w->at, hint,
                        "%s is not allowed in mode %s", km_pg_node_words(name),
                        modes[w->options->mode]);
}

static void note_place(struct km_pg_walk *w, const struct km_pg_type *t, const ProtobufCMessage *m)
{
    int at = t && t->place ? *(const int32_t *)member(m, t->place) : 0;

    if (at > 0)
        w->at = at;
}

static int walk_message(struct km_pg_walk *w, const ProtobufCMessage *m)
{
    const struct km_pg_type *t = km_pg_type_of(w->guard->types, m);
    const struct km_pg_ruled *ruled = t ? &w->guard->ruled[t - w->guard->types->v] : NULL;
    const struct km_pg_node_rule *rule = ruled ? ruled->rule : NULL;
    int r;

    if (t && t->node && !m->n_unknown_fields) {
        const PgQuery__Node *n = (const PgQuery__Node *)(const void *)m;

        /* All members of the union are pointers to messages; which one does not matter. */
        return n->node_case ? walk(w, (const ProtobufCMessage *)(const void *)n->alias) : 0;
    }
    note_place(w, t, m);
    if (!rule || rule->mode > w->options->mode || m->n_unknown_fields)
        return refuse_node(w, t ? t->name : m->descriptor->name, rule);
    if (!w->v->root && km_str_ends(km_str_c(rule->name), KM_STR("Stmt")) &&
        strcmp(rule->name, "RawStmt") != 0)
        w->v->root = rule->name;
    r = rule->check ? rule->check(w, m) : 0;
    return r == 0 ? walk_fields(w, ruled, m) : r;
}

static int walk(struct km_pg_walk *w, const ProtobufCMessage *m)
{
    int r;

    if (w->depth == KM_PG_WALK)
        return km_pg_refuse(w, "GUARD_LIMIT", NULL, w->at, "split the statement",
                            "the statement nests too deep");
    w->depth++;
    r = walk_message(w, m);
    w->depth--;
    return r;
}

/* --- the text to send --- */

struct put { /* what a verdict remembers of an insert */
    uint32_t at, n;
};

bool km_pg_put(struct km_pg_walk *w, size_t at, struct km_str text)
{
    if (w->ninserts == KM_PG_INSERTS)
        return false;
    w->inserts[w->ninserts++] = (struct km_pg_insert){ (uint32_t)at, text };
    return true;
}

static int by_place(const void *a, const void *b)
{
    uint32_t x = ((const struct km_pg_insert *)a)->at, y = ((const struct km_pg_insert *)b)->at;

    return x < y ? -1 : x > y;
}

static int write_sql(struct km_pg_walk *w)
{
    struct km_pg_verdict *v = w->v;
    size_t from = 0, n = w->sql.n;
    struct put *puts;
    char *p;

    v->sql = w->sql;
    if (!w->ninserts)
        return 0;
    qsort(w->inserts, w->ninserts, sizeof w->inserts[0], by_place);
    puts = km_arena_alloc(w->arena, w->ninserts * sizeof *puts);
    for (unsigned i = 0; puts && i < w->ninserts; i++) {
        puts[i] = (struct put){ w->inserts[i].at, (uint32_t)w->inserts[i].text.n };
        n += w->inserts[i].text.n;
    }
    p = km_arena_alloc(w->arena, n);
    if (!p || !puts)
        return KM_E_NOMEM;
    v->inserts = km_str((const char *)puts, w->ninserts * sizeof *puts);
    v->sql = km_str(p, n);
    for (unsigned i = 0; i < w->ninserts; i++) {
        const struct km_pg_insert *in = &w->inserts[i];

        memcpy(p, w->sql.p + from, in->at - from);
        p += in->at - from;
        memcpy(p, in->text.p, in->text.n);
        p += in->text.n;
        from = in->at;
    }
    memcpy(p, w->sql.p + from, w->sql.n - from);
    return 0;
}

int km_pg_verdict_place(const struct km_pg_verdict *v, int position)
{
    size_t byte = 0, before = 0, n = v->inserts.n / sizeof(struct put);
    int shift = 0;

    for (int i = 1; i < position && byte < v->sql.n; i++)
        byte += km_utf8_step(km_str_skip(v->sql, byte));
    for (size_t i = 0; i < n; i++) {
        struct put put;

        memcpy(&put, v->inserts.p + i * sizeof put, sizeof put);
        if (put.at + before >= byte)
            break;
        shift = (int)(before + put.n);
        if (byte < put.at + before + put.n)
            shift = (int)(byte - put.at); /* inside what was put there: its own beginning */
        before += put.n;
    }
    return position > shift ? position - shift : 1;
}

/* --- the verdict --- */

static int judge_tree(struct km_pg_walk *w, const PgQuery__ParseResult *tree)
{
    int r;

    if (tree->n_stmts != 1)
        return km_pg_refuse(w, "GUARD_COUNT", "ParseResult",
                            tree->n_stmts > 1 ? tree->stmts[1]->stmt_location : 0,
                            "send one statement a call",
                            "the text has %zu statements, one is taken", tree->n_stmts);
    r = walk(w, &tree->base);
    if (r == 0)
        r = km_pg_check_end(w);
    return r == 0 ? write_sql(w) : r;
}

static int judge(struct km_pg_walk *w)
{
    struct km_err why = { 0 };
    PgQuery__ParseResult *tree = NULL;
    size_t at = 0;
    int r = km_pg_parse(w->guard->parser, w->arena, w->sql, &tree, &at, &why);

    if (r == KM_E_NOMEM)
        return r;
    if (r == KM_E_LIMIT)
        return km_pg_refuse(w, "GUARD_LIMIT", NULL, (int)at, "split the statement", "%s", why.text);
    if (r < 0)
        return km_pg_refuse(w, "GUARD_SYNTAX", NULL, (int)at,
                            km_pg_syntax_hint(w->sql, at, km_str_c(why.text)).p, "%s", why.text);
    w->v->parsed = true;
    return judge_tree(w, tree);
}

int km_pg_guard_judge(const struct km_pg_guard *guard, struct km_arena *arena, struct km_str sql,
                      const struct km_pg_guard_options *options, struct km_pg_verdict *ret_verdict,
                      struct km_err *err)
{
    struct km_pg_walk *w = km_arena_alloc(arena, sizeof *w);
    int r = KM_E_NOMEM;

    *ret_verdict = (struct km_pg_verdict){ .at = -1, .pure = true };
    if (w) {
        w->guard = guard;
        w->options = options;
        w->arena = arena;
        w->sql = sql;
        w->v = ret_verdict;
        w->at = 0;
        w->depth = w->ninserts = 0;
        w->columns = w->calls = NULL;
        w->lesser = NULL;
        w->pairs = w->made = NULL;
        w->nmade = 0;
        w->opaque = false;
        memset(w->once, 0, sizeof w->once);
        memset(w->twice, 0, sizeof w->twice);
        w->ncalls = w->chained = 0;
        w->slow = NULL;
        w->slow_at = -1;
        w->swells = w->quadratic = w->searches = w->grows = w->gathers = w->counts = false;
        r = judge(w);
    }
    if (r == KM_E_NOMEM || km_arena_overflowed(arena)) {
        ret_verdict->allowed = false;
        return km_fail(err, KM_E_NOMEM, "out of memory to judge the statement");
    }
    ret_verdict->allowed = r == 0;
    return 0;
}
