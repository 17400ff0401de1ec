/* SPDX-License-Identifier: Apache-2.0 */
/* guard_nodes.c - which nodes and which of their fields may stand in a statement, by mode.
 *
 * A row names a message of libpg_query and the fields that may be set.  A field that is not named
 * and is not at its zero refuses the statement, so that what a later grammar adds is refused until
 * it is read: SELECT's into_clause is such a field.  Fields are named and not only nodes, because
 * what stands in a field of a fixed type has no wrapper that would say its name.
 *
 * Never here, in no mode: bodies in strings (DO, CREATE FUNCTION, rules, triggers), transactions,
 * SET, COPY, VACUUM, LOCK, LISTEN, PREPARE, cursors, LOAD, roles, extensions, foreign servers.
 */
#include "servers/postgres/guard_inside.h"

#define RO KM_PG_READ_ONLY
#define DML KM_PG_DML
#define DDL KM_PG_DDL

const struct km_pg_node_rule km_pg_node_rules[] = {
    { "ParseResult", RO, "version stmts", RO, NULL, NULL },
    { "RawStmt", RO, "stmt stmt_location stmt_len", RO, NULL, NULL },
    /* --- reading --- */
    { "SelectStmt", RO,
      "distinct_clause target_list from_clause where_clause group_clause group_distinct "
      "having_clause window_clause values_lists sort_clause limit_offset limit_count "
      "limit_option with_clause op all larg rarg",
      DML, "locking_clause", NULL },
    { "ExplainStmt", RO, "query options", RO, NULL, km_pg_check_explain },
    { "VariableShowStmt", RO, "name", RO, NULL, km_pg_check_show },
    { "ResTarget", RO, "name indirection val location", RO, NULL, NULL },
    { "RangeVar", RO, "catalogname schemaname relname inh relpersistence alias location", RO,
      NULL, km_pg_check_relation },
    { "Alias", RO, "aliasname colnames", RO, NULL, NULL },
    { "JoinExpr", RO,
      "jointype is_natural larg rarg using_clause join_using_alias quals alias rtindex", RO, NULL,
      NULL },
    { "RangeSubselect", RO, "lateral subquery alias", RO, NULL, NULL },
    { "RangeFunction", RO, "lateral ordinality is_rowsfrom functions alias coldeflist", RO, NULL,
      NULL },
    { "RangeTableFunc", RO, "lateral docexpr rowexpr namespaces columns alias location", RO, NULL,
      NULL },
    { "RangeTableFuncCol", RO,
      "colname type_name for_ordinality is_not_null colexpr coldefexpr location", RO, NULL, NULL },
    { "RangeTableSample", RO, "relation method args repeatable location", RO, NULL,
      km_pg_check_sample },
    { "WithClause", RO, "ctes recursive location", RO, NULL, NULL },
    { "CommonTableExpr", RO,
      "ctename aliascolnames ctematerialized ctequery search_clause cycle_clause location "
      "cterecursive cterefcount",
      RO, NULL, NULL },
    { "CTESearchClause", RO, "search_col_list search_breadth_first search_seq_column location",
      RO, NULL, NULL },
    { "CTECycleClause", RO,
      "cycle_col_list cycle_mark_column cycle_mark_value cycle_mark_default cycle_path_column "
      "location",
      RO, NULL, NULL },
    { "WindowDef", RO,
      "name refname partition_clause order_clause frame_options start_offset end_offset location",
      RO, NULL, NULL },
    { "SortBy", RO, "node sortby_dir sortby_nulls use_op location", RO, NULL, km_pg_check_sort },
    { "GroupingSet", RO, "kind content location", RO, NULL, NULL },
    { "GroupingFunc", RO, "args location", RO, NULL, NULL },
    /* --- expressions --- */
    { "A_Const", RO, "ival fval boolval sval bsval isnull location", RO, NULL, NULL },
    { "A_Expr", RO, "kind name lexpr rexpr location", RO, NULL, km_pg_check_operator },
    { "A_Star", RO, "", RO, NULL, NULL },
    { "A_Indices", RO, "is_slice lidx uidx", RO, NULL, NULL },
    { "A_Indirection", RO, "arg indirection", RO, NULL, km_pg_check_indirection },
    { "A_ArrayExpr", RO, "elements location", RO, NULL, NULL },
    { "BoolExpr", RO, "boolop args location", RO, NULL, NULL },
    { "BooleanTest", RO, "arg booltesttype location", RO, NULL, NULL },
    { "NullTest", RO, "arg nulltesttype argisrow location", RO, NULL, NULL },
    { "CaseExpr", RO, "arg args defresult location", RO, NULL, NULL },
    { "CaseWhen", RO, "expr result location", RO, NULL, NULL },
    { "CoalesceExpr", RO, "args location", RO, NULL, NULL },
    { "MinMaxExpr", RO, "op args location", RO, NULL, NULL },
    { "CollateClause", RO, "arg collname location", RO, NULL, NULL },
    { "ColumnRef", RO, "fields location", RO, NULL, km_pg_check_column },
    { "ParamRef", RO, "number location", RO, NULL, km_pg_check_param },
    { "FuncCall", RO,
      "funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct "
      "func_variadic funcformat location",
      RO, NULL, km_pg_check_function },
    { "NamedArgExpr", RO, "arg name argnumber location", RO, NULL, NULL },
    { "RowExpr", RO, "args row_format colnames location", RO, NULL, NULL },
    { "SubLink", RO, "sub_link_type testexpr oper_name subselect location", RO, NULL,
      km_pg_check_sublink },
    { "SQLValueFunction", RO, "op typmod location", RO, NULL, NULL },
    { "TypeCast", RO, "arg type_name location", RO, NULL, NULL },
    { "TypeName", RO, "names typmods typemod array_bounds location", RO, NULL, km_pg_check_type },
    { "XmlExpr", RO, "op name named_args arg_names args xmloption location", RO, NULL, NULL },
    { "XmlSerialize", RO, "xmloption expr type_name location", RO, NULL, NULL },
    { "DefElem", RO, "defname arg defaction location", DDL, "defnamespace", NULL },
    { "ColumnDef", RO, "colname type_name is_local coll_clause location", DDL,
      "compression is_not_null raw_default identity generated constraints", NULL },
    { "Integer", RO, "ival", RO, NULL, NULL },
    { "Float", RO, "fval", RO, NULL, NULL },
    { "Boolean", RO, "boolval", RO, NULL, NULL },
    { "String", RO, "sval", RO, NULL, NULL },
    { "BitString", RO, "bsval", RO, NULL, NULL },
    { "List", RO, "items", RO, NULL, NULL },
    /* --- rows --- */
    { "InsertStmt", DML,
      "relation cols select_stmt on_conflict_clause returning_list with_clause override", RO, NULL,
      km_pg_check_write },
    { "UpdateStmt", DML,
      "relation target_list where_clause from_clause returning_list with_clause", RO, NULL,
      km_pg_check_write },
    { "DeleteStmt", DML, "relation using_clause where_clause returning_list with_clause", RO,
      NULL, km_pg_check_write },
    { "MergeStmt", DML,
      "relation source_relation join_condition merge_when_clauses with_clause", RO, NULL,
      km_pg_check_write },
    { "MergeWhenClause", DML, "matched command_type override condition target_list values", RO,
      NULL, NULL },
    { "OnConflictClause", DML, "action infer target_list where_clause location", RO, NULL, NULL },
    { "InferClause", DML, "index_elems where_clause conname location", RO, NULL, NULL },
    { "IndexElem", DML, "name expr indexcolname collation ordering nulls_ordering", DDL,
      "opclass", NULL },
    { "MultiAssignRef", DML, "source colno ncolumns", RO, NULL, NULL },
    { "SetToDefault", DML, "location", RO, NULL, NULL },
    { "LockingClause", DML, "locked_rels strength wait_policy", RO, NULL, km_pg_check_write },
    /* --- tables --- */
    { "CreateStmt", DDL,
      "relation table_elts inh_relations partbound partspec constraints options oncommit "
      "if_not_exists",
      RO, NULL, km_pg_check_change },
    { "Constraint", DDL,
      "contype conname deferrable initdeferred location is_no_inherit raw_expr generated_when "
      "nulls_not_distinct keys including pktable fk_attrs pk_attrs fk_matchtype fk_upd_action "
      "fk_del_action fk_del_set_cols skip_validation initially_valid",
      RO, NULL, NULL },
    { "PartitionSpec", DDL, "strategy part_params location", RO, NULL, NULL },
    { "PartitionElem", DDL, "name expr collation location", RO, NULL, NULL },
    { "PartitionBoundSpec", DDL,
      "strategy is_default modulus remainder listdatums lowerdatums upperdatums location", RO,
      NULL, NULL },
    { "PartitionRangeDatum", DDL, "kind value location", RO, NULL, NULL },
    { "PartitionCmd", DDL, "name bound concurrent", RO, NULL, NULL },
    { "IndexStmt", DDL,
      "idxname relation access_method index_params index_including_params options where_clause "
      "unique nulls_not_distinct primary concurrent if_not_exists",
      RO, NULL, km_pg_check_change },
    { "AlterTableStmt", DDL, "relation cmds objtype missing_ok", RO, NULL, km_pg_check_change },
    { "AlterTableCmd", DDL, "subtype name num def behavior missing_ok recurse", RO, NULL,
      km_pg_check_alter },
    { "DropStmt", DDL, "objects remove_type behavior missing_ok concurrent", RO, NULL,
      km_pg_check_drop },
    { "TruncateStmt", DDL, "relations restart_seqs behavior", RO, NULL, km_pg_check_change },
    { "ViewStmt", DDL, "view aliases query replace options with_check_option", RO, NULL,
      km_pg_check_change },
    { "CommentStmt", DDL, "objtype object comment", RO, NULL, km_pg_check_change },
    { "RenameStmt", DDL,
      "rename_type relation_type relation object subname newname behavior missing_ok", RO, NULL,
      km_pg_check_rename },
    { "CreateSchemaStmt", DDL, "schemaname if_not_exists", RO, NULL, km_pg_check_change },
    { "CreateTableAsStmt", DDL, "query into objtype if_not_exists", RO, NULL,
      km_pg_check_define },
    { "IntoClause", DDL, "rel col_names options on_commit view_query skip_data", RO, NULL, NULL },
    { "CreateSeqStmt", DDL, "sequence options if_not_exists", RO, NULL, km_pg_check_change },
    { "AlterSeqStmt", DDL, "sequence options missing_ok", RO, NULL, km_pg_check_change },
    { "CreateEnumStmt", DDL, "type_name vals", RO, NULL, km_pg_check_change },
    { "AlterEnumStmt", DDL,
      "type_name old_val new_val new_val_neighbor new_val_is_after skip_if_new_val_exists", RO,
      NULL, km_pg_check_change },
    { "RefreshMatViewStmt", DDL, "concurrent skip_data relation", RO, NULL, km_pg_check_change },
};

const size_t km_pg_node_nrules = sizeof km_pg_node_rules / sizeof km_pg_node_rules[0];
