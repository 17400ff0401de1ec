/* SPDX-License-Identifier: Apache-2.0 */
/* functions.c - see functions.h.
 *
 * The builtins are what PostgreSQL's documentation describes, read one by one in pg_proc of 15 and
 * of the releases after it, without what takes or gives `internal` or `cstring`, what stands behind
 * an operator, and everything that
 *
 *     runs SQL given as text     query_to_xml and its family, ts_stat, ts_rewrite(tsquery, text)
 *     reads or writes files      pg_read_file, pg_ls_dir, lo_export
 *     names a table in a string  table_to_xml: the list of relations would not see it
 *     names a type in a string   pg_input_is_valid: a domain's CHECK is somebody's function
 *     changes session or server  set_config, pg_advisory_lock, pg_reload_conf, setseed
 *     waits or burns             pg_sleep, crypt
 *     shows others' secrets      pg_stat_get_activity, pg_mcv_list_items, pg_config
 *
 * A name counts for all its overloads, and for pg_catalog's only: the guard writes the schema
 * before it.  The lists are sorted, so that a look-up is ten comparisons.  Functions of extensions
 * are in extensions.c, relations and settings in secrets.c.
 */
#include "servers/postgres/functions_inside.h"

static const char *const builtins[] = {
    "abbrev", "abs", "acldefault", "aclexplode", "acos", "acosd", "acosh", "age", "any_value",
    "area", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend",
    "array_remove", "array_replace", "array_reverse", "array_sample", "array_shuffle", "array_sort",
    "array_to_json", "array_to_string", "array_to_tsvector", "array_upper", "ascii", "asin",
    "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh", "avg", "bit", "bit_and",
    "bit_count", "bit_length", "bit_or", "bit_xor", "bool", "bool_and", "bool_or", "bound_box",
    "box", "bpchar", "broadcast", "btrim", "cardinality", "casefold", "cash_words", "cbrt", "ceil",
    "ceiling", "center", "char", "char_length", "character_length", "chr", "cidr", "circle",
    "clock_timestamp", "col_description", "concat", "concat_ws", "convert", "convert_from",
    "convert_to", "corr", "cos", "cosd", "cosh", "cot", "cotd", "count", "covar_pop", "covar_samp",
    "crc32", "crc32c", "cume_dist", "current_database", "current_schema", "current_schemas",
    "current_setting", "current_user", "date", "date_add", "date_bin", "date_part", "date_subtract",
    "date_trunc", "datemultirange", "daterange", "decode", "degrees", "dense_rank", "diagonal",
    "diameter", "div", "encode", "enum_first", "enum_last", "enum_range", "erf", "erfc", "every",
    "exp", "extract", "factorial", "family", "first_value", "float4", "float8", "floor", "format",
    "format_type", "gamma", "gcd", "gen_random_uuid", "generate_series", "generate_subscripts",
    "get_bit", "get_byte", "get_current_ts_config", "getdatabaseencoding", "getpgusername",
    "has_any_column_privilege", "has_column_privilege", "has_database_privilege",
    "has_foreign_data_wrapper_privilege", "has_function_privilege", "has_language_privilege",
    "has_largeobject_privilege", "has_parameter_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "hash_array", "hash_record", "hashtext",
    "hashtextextended", "height", "host", "hostmask", "inet_client_addr", "inet_client_port",
    "inet_merge", "inet_same_family", "inet_server_addr", "inet_server_port", "initcap", "int2",
    "int4", "int4multirange", "int4range", "int8", "int8multirange", "int8range", "interval",
    "is_normalized", "isclosed", "isempty", "isfinite", "ishorizontal", "isopen", "isparallel",
    "isperp", "isvertical", "json_agg", "json_array_elements", "json_array_elements_text",
    "json_array_length", "json_build_array", "json_build_object", "json_each", "json_each_text",
    "json_extract_path", "json_extract_path_text", "json_object", "json_object_agg",
    "json_object_keys", "json_populate_record", "json_populate_recordset", "json_strip_nulls",
    "json_to_record", "json_to_recordset", "json_to_tsvector", "json_typeof", "jsonb_agg",
    "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array",
    "jsonb_build_object", "jsonb_concat", "jsonb_contained", "jsonb_contains", "jsonb_delete",
    "jsonb_each", "jsonb_each_text", "jsonb_exists", "jsonb_exists_all", "jsonb_exists_any",
    "jsonb_extract_path", "jsonb_extract_path_text", "jsonb_insert", "jsonb_object",
    "jsonb_object_agg", "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_exists_tz",
    "jsonb_path_match", "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty",
    "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_to_tsvector", "jsonb_typeof", "justify_days", "justify_hours", "justify_interval", "lag",
    "last_value", "lcm", "lead", "left", "length", "lgamma", "like", "like_escape", "line", "ln",
    "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim", "macaddr",
    "macaddr8", "macaddr8_set7bit", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "makeaclitem", "masklen", "max", "md5", "min", "min_scale", "mod", "mode",
    "money", "multirange", "mxid_age", "name", "netmask", "network", "normalize", "notlike", "now",
    "npoints", "nth_value", "ntile", "num_nonnulls", "num_nulls", "numeric", "nummultirange",
    "numnode", "numrange", "obj_description", "octet_length", "oid", "oidvectortypes", "overlaps",
    "overlay", "parse_ident", "path", "pclose", "percent_rank", "percentile_cont",
    "percentile_disc", "pg_available_extension_versions", "pg_available_extensions",
    "pg_backend_pid", "pg_basetype", "pg_blocking_pids", "pg_char_to_encoding",
    "pg_client_encoding", "pg_collation_actual_version", "pg_collation_for",
    "pg_collation_is_visible", "pg_column_compression", "pg_column_is_updatable", "pg_column_size",
    "pg_column_toast_chunk_id", "pg_conf_load_time", "pg_control_checkpoint", "pg_control_init",
    "pg_control_recovery", "pg_control_system", "pg_conversion_is_visible", "pg_current_snapshot",
    "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn",
    "pg_current_xact_id_if_assigned", "pg_database_collation_actual_version", "pg_database_size",
    "pg_describe_object", "pg_encoding_max_length", "pg_encoding_to_char",
    "pg_extension_update_paths", "pg_filenode_relation", "pg_function_is_visible", "pg_get_acl",
    "pg_get_catalog_foreign_keys", "pg_get_constraintdef", "pg_get_expr",
    "pg_get_function_arg_default", "pg_get_function_arguments",
    "pg_get_function_identity_arguments", "pg_get_function_result", "pg_get_function_sqlbody",
    "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords", "pg_get_multixact_members",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
    "pg_get_replica_identity_index", "pg_get_ruledef", "pg_get_serial_sequence",
    "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions", "pg_get_triggerdef", "pg_get_userbyid", "pg_get_viewdef",
    "pg_get_wal_replay_pause_state", "pg_has_role", "pg_identify_object",
    "pg_identify_object_as_address", "pg_index_column_has_property", "pg_index_has_property",
    "pg_indexam_has_property", "pg_indexam_progress_phasename", "pg_indexes_size",
    "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_is_wal_replay_paused", "pg_jit_available",
    "pg_last_committed_xact", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp", "pg_lsn", "pg_my_temp_schema", "pg_notification_queue_usage",
    "pg_opclass_is_visible", "pg_operator_is_visible", "pg_opfamily_is_visible",
    "pg_options_to_table", "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_filepath",
    "pg_relation_is_publishable", "pg_relation_is_updatable", "pg_relation_size",
    "pg_safe_snapshot_blocking_pids", "pg_sequence_last_value", "pg_sequence_parameters",
    "pg_settings_get_flags", "pg_size_bytes", "pg_size_pretty", "pg_snapshot_xip",
    "pg_snapshot_xmax", "pg_snapshot_xmin", "pg_split_walfile_name", "pg_stat_get_analyze_count",
    "pg_stat_get_archiver", "pg_stat_get_autoanalyze_count", "pg_stat_get_autovacuum_count",
    "pg_stat_get_bgwriter_buf_written_clean", "pg_stat_get_bgwriter_requested_checkpoints",
    "pg_stat_get_bgwriter_timed_checkpoints", "pg_stat_get_blocks_fetched",
    "pg_stat_get_blocks_hit", "pg_stat_get_buf_alloc", "pg_stat_get_db_active_time",
    "pg_stat_get_db_blk_read_time", "pg_stat_get_db_blk_write_time",
    "pg_stat_get_db_blocks_fetched", "pg_stat_get_db_blocks_hit",
    "pg_stat_get_db_checksum_failures", "pg_stat_get_db_checksum_last_failure",
    "pg_stat_get_db_conflict_all", "pg_stat_get_db_conflict_bufferpin",
    "pg_stat_get_db_conflict_lock", "pg_stat_get_db_conflict_snapshot", "pg_stat_get_db_deadlocks",
    "pg_stat_get_db_idle_in_transaction_time", "pg_stat_get_db_numbackends",
    "pg_stat_get_db_session_time", "pg_stat_get_db_sessions", "pg_stat_get_db_sessions_abandoned",
    "pg_stat_get_db_sessions_fatal", "pg_stat_get_db_sessions_killed",
    "pg_stat_get_db_stat_reset_time", "pg_stat_get_db_temp_bytes", "pg_stat_get_db_temp_files",
    "pg_stat_get_db_tuples_deleted", "pg_stat_get_db_tuples_fetched",
    "pg_stat_get_db_tuples_inserted", "pg_stat_get_db_tuples_returned",
    "pg_stat_get_db_tuples_updated", "pg_stat_get_db_xact_commit", "pg_stat_get_db_xact_rollback",
    "pg_stat_get_dead_tuples", "pg_stat_get_function_calls", "pg_stat_get_function_self_time",
    "pg_stat_get_function_total_time", "pg_stat_get_ins_since_vacuum",
    "pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time",
    "pg_stat_get_last_autovacuum_time", "pg_stat_get_last_vacuum_time", "pg_stat_get_lastscan",
    "pg_stat_get_live_tuples", "pg_stat_get_mod_since_analyze", "pg_stat_get_numscans",
    "pg_stat_get_slru", "pg_stat_get_snapshot_timestamp", "pg_stat_get_total_vacuum_time",
    "pg_stat_get_tuples_deleted", "pg_stat_get_tuples_fetched", "pg_stat_get_tuples_hot_updated",
    "pg_stat_get_tuples_inserted", "pg_stat_get_tuples_returned", "pg_stat_get_tuples_updated",
    "pg_stat_get_vacuum_count", "pg_stat_get_wal", "pg_stat_have_stats",
    "pg_statistics_obj_is_visible", "pg_table_is_visible", "pg_table_size",
    "pg_tablespace_databases", "pg_tablespace_size", "pg_timezone_abbrevs", "pg_timezone_names",
    "pg_total_relation_size", "pg_trigger_depth", "pg_ts_config_is_visible",
    "pg_ts_dict_is_visible", "pg_ts_parser_is_visible", "pg_ts_template_is_visible",
    "pg_type_is_visible", "pg_typeof", "pg_visible_in_snapshot", "pg_wal_lsn_diff",
    "pg_walfile_name", "pg_walfile_name_offset", "pg_xact_commit_timestamp", "pg_xact_status",
    "phraseto_tsquery", "pi", "plainto_tsquery", "point", "polygon", "popen", "position", "pow",
    "power", "querytree", "quote_ident", "quote_literal", "quote_nullable", "radians", "radius",
    "random", "random_normal", "range_agg", "range_intersect_agg", "range_merge", "rank",
    "regexp_count", "regexp_instr", "regexp_like", "regexp_match", "regexp_matches",
    "regexp_replace", "regexp_split_to_array", "regexp_split_to_table", "regexp_substr",
    "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
    "regr_sxy", "regr_syy", "repeat", "replace", "reverse", "right", "round", "row_number",
    "row_security_active", "row_to_json", "rpad", "rtrim", "scale", "session_user", "set_bit",
    "set_byte", "set_masklen", "setweight", "sha224", "sha256", "sha384", "sha512",
    "shobj_description", "sign", "similar_escape", "similar_to_escape", "sin", "sind", "sinh",
    "slope", "split_part", "sqrt", "starts_with", "statement_timestamp", "stddev", "stddev_pop",
    "stddev_samp", "string_agg", "string_to_array", "string_to_table", "strip", "strpos", "substr",
    "substring", "sum", "system_user", "tan", "tand", "tanh", "text", "textlike", "textnlike",
    "time", "timeofday",
    "timestamp", "timestamptz", "timetz", "timezone", "to_ascii", "to_bin", "to_char", "to_date",
    "to_hex", "to_json", "to_jsonb", "to_number", "to_oct", "to_regclass", "to_regcollation",
    "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc", "to_regprocedure",
    "to_regrole", "to_regtype", "to_regtypemod", "to_timestamp", "to_tsquery", "to_tsvector",
    "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc", "ts_debug",
    "ts_delete", "ts_filter", "ts_headline", "ts_lexize", "ts_parse", "ts_rank", "ts_rank_cd",
    "ts_token_type", "tsmultirange", "tsquery_phrase", "tsrange", "tstzmultirange", "tstzrange",
    "tsvector_to_array", "txid_current_if_assigned", "txid_current_snapshot", "txid_snapshot_xip",
    "txid_snapshot_xmax", "txid_snapshot_xmin", "txid_status", "txid_visible_in_snapshot", "unistr",
    "unnest", "upper", "upper_inc", "upper_inf", "uuid_extract_timestamp", "uuid_extract_version",
    "uuidv4", "uuidv7", "var_pop", "var_samp", "varbit", "varchar", "variance", "version",
    "websearch_to_tsquery", "width", "width_bucket", "xml", "xml_is_well_formed",
    "xml_is_well_formed_content", "xml_is_well_formed_document", "xmlagg", "xmlcomment",
    "xmlexists", "xmltext", "xpath", "xpath_exists",
};

static const struct km_pg_words writing[] = {
    { "currval", "" }, { "lastval", "" }, { "nextval", "" }, { "setval", "" },
};

static const struct km_pg_words admins[] = {
    { "pg_cancel_backend", "" },
    { "pg_terminate_backend", "" },
};

/* Only so that a refusal can say why; what stands nowhere is refused as well. */
static const struct km_pg_words dangerous[] = {
    { "connectby", "it runs SQL given as text" },
    { "crosstab", "it runs SQL given as text" },
    { "crypt", "its cost can keep a server busy for hours, and nothing can interrupt it" },
    { "cursor_to_xml", "it reads any open cursor of the session" },
    { "database_to_xml", "it reads every table of the database" },
    { "dblink", "it opens a session of its own, outside this transaction" },
    { "dblink_connect", "it opens a session of its own, outside this transaction" },
    { "dblink_exec", "it opens a session of its own, outside this transaction" },
    { "gen_salt", "it serves crypt(), which is not allowed" },
    { "get_raw_page", "it reads below the privileges of columns and rows" },
    { "lo_export", "it writes a file of the server" },
    { "lo_import", "it reads a file of the server" },
    { "pg_input_error_info", "it converts to a type that is named in a string" },
    { "pg_input_is_valid", "it converts to a type that is named in a string" },
    { "pg_ls_dir", "it lists files of the server" },
    { "pg_notify", "it sends to other sessions" },
    { "pg_read_binary_file", "it reads a file of the server" },
    { "pg_read_file", "it reads a file of the server" },
    { "pg_reload_conf", "it changes the server" },
    { "pg_sleep", "it waits and holds a connection" },
    { "pg_sleep_for", "it waits and holds a connection" },
    { "pg_sleep_until", "it waits and holds a connection" },
    { "pg_stat_file", "it looks at files of the server" },
    { "pg_stat_get_activity", "it shows the statements of other sessions" },
    { "pg_tablespace_location", "it shows paths of the server" },
    { "query_to_xml", "it runs SQL given as text" },
    { "schema_to_xml", "it reads every table of the schema" },
    { "set_config", "it changes settings of the session" },
    { "setseed", "it changes the session" },
    { "table_to_xml", "it reads a table that is named in a string" },
    { "ts_rewrite", "its form of two arguments runs SQL given as text" },
    { "ts_stat", "it runs SQL given as text" },
    { "txid_current", "it takes a transaction id, which is a write" },
    { "xpath_table", "it runs SQL given as text" },
};

/* Functions of MySQL, SQL Server, Oracle and SQLite that models write. */
static const struct km_pg_words elsewhere[] = {
    { "charindex", "strpos(text, part)" },
    { "curdate", "current_date" },
    { "date_format", "to_char(date, 'YYYY-MM-DD')" },
    { "dateadd", "date + interval '1 day'" },
    { "datediff", "the difference of two dates, a - b" },
    { "datepart", "extract(year FROM date)" },
    { "datetime", "a cast, value::timestamp" },
    { "day", "extract(day FROM date)" },
    { "find_in_set", "'a' = ANY (string_to_array(list, ','))" },
    { "from_unixtime", "to_timestamp(seconds)" },
    { "getdate", "now()" },
    { "group_concat", "string_agg(text, ',')" },
    { "hour", "extract(hour FROM time)" },
    { "if", "CASE WHEN condition THEN a ELSE b END" },
    { "ifnull", "coalesce(a, b)" },
    { "iif", "CASE WHEN condition THEN a ELSE b END" },
    { "instr", "strpos(text, part)" },
    { "isnull", "coalesce(a, b), or a IS NULL" },
    { "json_extract", "doc->>'key', or doc#>>'{a,b}'" },
    { "julianday", "the difference of two dates, a - b" },
    { "len", "length(text)" },
    { "listagg", "string_agg(text, ',')" },
    { "locate", "strpos(text, part)" },
    { "month", "extract(month FROM date)" },
    { "nvl", "coalesce(a, b)" },
    { "rand", "random()" },
    { "str_to_date", "to_date(text, 'YYYY-MM-DD')" },
    { "strftime", "to_char(date, 'YYYY-MM-DD')" },
    { "substring_index", "split_part(text, ',', 1)" },
    { "sysdate", "now()" },
    { "timestampdiff", "the difference of two dates, a - b" },
    { "to_days", "the difference of two dates, a - b" },
    { "unix_timestamp", "extract(epoch FROM time)" },
    { "year", "extract(year FROM date)" },
};

const char *km_pg_function_instead(struct km_str name)
{
    const struct km_pg_words *w;
    struct km_pg_key key;

    if (!km_pg_key_make(name, &key))
        return NULL;
    w = KM_PG_FIND(&key, elsewhere);
    return w ? w->why : NULL;
}

enum km_pg_function km_pg_function_find(struct km_str name, const char **ret_more)
{
    const struct km_pg_words *w;
    struct km_pg_key key;

    *ret_more = NULL;
    if (!km_pg_key_make(name, &key))
        return KM_PG_FUNCTION_UNKNOWN;
    if (KM_PG_FIND(&key, builtins))
        return KM_PG_FUNCTION_BUILTIN;
    *ret_more = km_pg_extension_of(&key);
    if (*ret_more)
        return KM_PG_FUNCTION_EXTENSION;
    if (KM_PG_FIND(&key, writing))
        return KM_PG_FUNCTION_WRITES;
    if (KM_PG_FIND(&key, admins))
        return KM_PG_FUNCTION_ADMIN;
    w = KM_PG_FIND(&key, dangerous);
    if (!w)
        return KM_PG_FUNCTION_UNKNOWN;
    *ret_more = w->why;
    return KM_PG_FUNCTION_DANGEROUS;
}
