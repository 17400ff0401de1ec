/* SPDX-License-Identifier: Apache-2.0 */
/* guard_statements.c - what a whole statement may be about, beyond that it may stand there.
 *
 *     EXPLAIN, SHOW        options and settings of a list
 *     INSERT ... MERGE     not to the catalogue; the verdict says that it writes
 *     CREATE, ALTER, DROP  the same, of kinds of objects and forms of ALTER that are on a list
 *
 * The names inside are judged like everywhere else (guard_checks.c).
 */
#include "servers/postgres/guard_inside.h"

#include "base/buf.h"
#include "http/json_out.h"
#include "servers/postgres/functions.h"

#define EMPTIES_BYTES ((size_t)64 * 1024)

int km_pg_check_param(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__ParamRef *p = KM_PG_MESSAGE(PgQuery__ParamRef, message);

    if (p->number < 1 || p->number > 1000)
        return km_pg_refuse(w, "GUARD_PARAM", "ParamRef", p->location, "number them from $1",
                            "there is no parameter $%d", p->number);
    if ((unsigned)p->number > w->v->params)
        w->v->params = (unsigned)p->number;
    km_pg_see_param(w, (unsigned)p->number);
    return 0;
}

static bool is_word(struct km_str word, const char *words)
{
    struct km_str rest = km_str_c(words), part;

    while (km_str_split(&rest, ' ', &part))
        if (km_str_eq(part, word))
            return true;
    return false;
}

int km_pg_check_explain(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    static const char known[] = "analyze verbose costs settings buffers wal timing summary format "
                                "generic_plan memory serialize";
    const PgQuery__ExplainStmt *e = KM_PG_MESSAGE(PgQuery__ExplainStmt, message);

    w->v->explains = true;
    for (size_t i = 0; i < e->n_options; i++) {
        const PgQuery__Node *n = e->options[i];

        if (n->node_case != PG_QUERY__NODE__NODE_DEF_ELEM ||
            !is_word(km_str_c(n->def_elem->defname), known))
            return km_pg_refuse(w, "GUARD_OPTION", "ExplainStmt", w->at,
                                "use ANALYZE, BUFFERS, COSTS, FORMAT, SETTINGS, SUMMARY, TIMING, "
                                "VERBOSE or WAL",
                                "EXPLAIN has an unknown option");
        if (strcmp(n->def_elem->defname, "analyze") == 0)
            w->v->analyzes = true;
    }
    switch (e->query ? e->query->node_case : PG_QUERY__NODE__NODE__NOT_SET) {
    case PG_QUERY__NODE__NODE_SELECT_STMT:
    case PG_QUERY__NODE__NODE_INSERT_STMT: /* by their own rules, in the modes that have them */
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
    case PG_QUERY__NODE__NODE_DELETE_STMT:
    case PG_QUERY__NODE__NODE_MERGE_STMT:
        return 0;
    default:
        return km_pg_refuse(w, "GUARD_STATEMENT", "ExplainStmt", w->at, "explain a SELECT",
                            "EXPLAIN takes a query here, nothing else");
    }
}

int km_pg_check_show(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__VariableShowStmt *s = KM_PG_MESSAGE(PgQuery__VariableShowStmt, message);

    if (km_pg_setting_shown(km_str_c(s->name)))
        return 0;
    if (is_word(km_str_c(s->name), "tables databases schemas columns indexes views functions"))
        return km_pg_refuse(w, "GUARD_SETTING", "VariableShowStmt", 0,
                            "list_schemas, list_objects and describe_table tell what there is",
                            "SHOW tells settings, and %s is none", s->name);
    return km_pg_refuse(w, "GUARD_SETTING", "VariableShowStmt", 0,
                        "SHOW one setting by its name, such as TimeZone or work_mem",
                        "SHOW may tell settings of a list only");
}

/* What a write goes to, whichever statement it is. */
static const PgQuery__RangeVar *target_of(const ProtobufCMessage *message)
{
    const char *name = message->descriptor->short_name;

    if (strcmp(name, "InsertStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__InsertStmt, message)->relation;
    if (strcmp(name, "UpdateStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__UpdateStmt, message)->relation;
    if (strcmp(name, "DeleteStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__DeleteStmt, message)->relation;
    if (strcmp(name, "MergeStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__MergeStmt, message)->relation;
    if (strcmp(name, "AlterTableStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__AlterTableStmt, message)->relation;
    if (strcmp(name, "RenameStmt") == 0)
        return KM_PG_MESSAGE(PgQuery__RenameStmt, message)->relation;
    return NULL;
}

int km_pg_check_write(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RangeVar *target = target_of(message);

    w->v->writes = true;
    w->v->pure = false;
    if (target && (km_pg_is_system(km_str_c(target->schemaname)) ||
                   km_str_starts(km_str_c(target->relname), KM_STR("pg_"))))
        return km_pg_refuse(w, "GUARD_RELATION", "RangeVar", target->location,
                            "change what it tells of: ALTER, CREATE or DROP the object itself",
                            "the catalogue is not written to");
    return 0;
}

int km_pg_check_index(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    w->v->outside = w->v->outside || KM_PG_MESSAGE(PgQuery__IndexStmt, message)->concurrent;
    return km_pg_check_write(w, message);
}

int km_pg_check_partition(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    w->v->outside = w->v->outside || KM_PG_MESSAGE(PgQuery__PartitionCmd, message)->concurrent;
    return 0;
}

/* --- tables that are emptied --- */

static void put_emptied(struct km_json_out *o, struct km_str schema, struct km_str name)
{
    km_out_open(o, '{');
    km_out_member(o, "s", schema);
    km_out_member(o, "n", name);
    km_out_close(o, '}');
}

static int keep_emptied(struct km_pg_walk *w, const struct km_buf *b)
{
    w->v->empties = km_buf_failed(b) ? KM_STR_NONE : km_arena_str(w->arena, km_buf_view(b));
    return w->v->empties.p ? 0 : KM_E_NOMEM;
}

int km_pg_check_truncate(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__TruncateStmt *t = KM_PG_MESSAGE(PgQuery__TruncateStmt, message);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EMPTIES_BYTES);
    struct km_json_out o;
    int r = km_pg_check_write(w, message);

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (size_t i = 0; i < t->n_relations; i++) {
        const PgQuery__Node *n = t->relations[i];

        if (n->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
            put_emptied(&o, km_str_c(n->range_var->schemaname), km_str_c(n->range_var->relname));
    }
    km_out_close(&o, ']');
    w->v->cascades = t->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
    return r == 0 ? keep_emptied(w, &b) : r;
}

static int note_dropped(struct km_pg_walk *w, const PgQuery__DropStmt *d)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(EMPTIES_BYTES);
    struct km_str schema, name;
    struct km_json_out o;

    km_json_out_init(&o, &b);
    km_out_open(&o, '[');
    for (size_t i = 0; i < d->n_objects; i++) {
        const PgQuery__Node *n = d->objects[i];

        if (n->node_case == PG_QUERY__NODE__NODE_LIST &&
            km_pg_names(n->list->items, n->list->n_items, &schema, &name))
            put_emptied(&o, schema, name);
    }
    km_out_close(&o, ']');
    return keep_emptied(w, &b);
}

static bool is_object(PgQuery__ObjectType type)
{
    return type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_VIEW ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_INDEX ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_TYPE ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_DOMCONSTRAINT ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_STATISTIC_EXT ||
           type == PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE;
}

static int refuse_object(struct km_pg_walk *w, const char *node)
{
    return km_pg_refuse(w, "GUARD_STATEMENT", node, 0, NULL,
                        "only tables, views, indexes, sequences, statistics, types and domains may "
                        "be changed here");
}

int km_pg_check_drop(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__DropStmt *d = KM_PG_MESSAGE(PgQuery__DropStmt, message);

    int r;

    if (!is_object(d->remove_type))
        return refuse_object(w, "DropStmt");
    w->v->outside = w->v->outside || d->concurrent;
    r = km_pg_check_write(w, message);
    return r == 0 && d->remove_type == PG_QUERY__OBJECT_TYPE__OBJECT_TABLE ? note_dropped(w, d) : r;
}

int km_pg_check_rename(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__RenameStmt *d = KM_PG_MESSAGE(PgQuery__RenameStmt, message);

    return is_object(d->rename_type) ? km_pg_check_write(w, message)
                                     : refuse_object(w, "RenameStmt");
}

int km_pg_check_move(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__AlterObjectSchemaStmt *d =
        KM_PG_MESSAGE(PgQuery__AlterObjectSchemaStmt, message);

    return is_object(d->object_type) ? km_pg_check_write(w, message)
                                     : refuse_object(w, "AlterObjectSchemaStmt");
}

/* EXCLUDE (element WITH operator): pairs of which the second is the operator's name. */
int km_pg_check_constraint(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    const PgQuery__Constraint *c = KM_PG_MESSAGE(PgQuery__Constraint, message);
    int r = 0;

    for (size_t i = 0; r == 0 && i < c->n_exclusions; i++) {
        const PgQuery__Node *pair = c->exclusions[i], *name = NULL;

        if (pair->node_case == PG_QUERY__NODE__NODE_LIST && pair->list->n_items == 2)
            name = pair->list->items[1];
        if (!name || name->node_case != PG_QUERY__NODE__NODE_LIST)
            return km_pg_refuse(w, "GUARD_NODE", "Constraint", c->location, NULL,
                                "EXCLUDE with an operator that cannot be read");
        r = km_pg_refer_operator(w, name->list->items, name->list->n_items, c->location, NULL,
                                 NULL);
    }
    return r;
}

int km_pg_check_alter(struct km_pg_walk *w, const ProtobufCMessage *message)
{
    switch (KM_PG_MESSAGE(PgQuery__AlterTableCmd, message)->subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropExpression:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetStorage:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetCompression:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetLogged:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetUnLogged:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropCluster:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddInherit:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropInherit:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ReplicaIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddIndexConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetIdentity:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropIdentity:
        return 0;
    default:
        return km_pg_refuse(w, "GUARD_STATEMENT", "AlterTableCmd", 0, NULL,
                            "this form of ALTER TABLE is not one of columns, constraints, "
                            "partitions and storage options");
    }
}
