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
 * before it.  The lists are sorted, so that a look-up is ten comparisons.
 */
#include "servers/postgres/functions.h"

#include <stdlib.h>

static const char *const builtins[] = {
    "abbrev", "abs", "acldefault", "aclexplode", "acos", "acosd", "acosh", "age", "any_value",
    "area", "array_agg", "array_append", "array_cat", "array_dims", "array_fill", "array_length",
    "array_lower", "array_ndims", "array_position", "array_positions", "array_prepend",
    "array_remove", "array_replace", "array_reverse", "array_sample", "array_shuffle",
    "array_sort", "array_to_json", "array_to_string", "array_to_tsvector", "array_upper", "ascii",
    "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand", "atanh", "avg", "bit",
    "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor", "bool", "bool_and", "bool_or",
    "bound_box", "box", "bpchar", "broadcast", "btrim", "cardinality", "casefold", "cbrt", "ceil",
    "ceiling", "center", "char", "char_length", "character_length", "chr", "cidr", "circle",
    "clock_timestamp", "col_description", "concat", "concat_ws", "convert", "convert_from",
    "convert_to", "corr", "cos", "cosd", "cosh", "cot", "cotd", "count", "covar_pop",
    "covar_samp", "crc32", "crc32c", "cume_dist", "current_database", "current_schema",
    "current_schemas", "current_setting", "current_user", "date", "date_add", "date_bin",
    "date_part", "date_subtract", "date_trunc", "datemultirange", "daterange", "decode",
    "degrees", "dense_rank", "diagonal", "diameter", "div", "encode", "enum_first", "enum_last",
    "enum_range", "erf", "erfc", "every", "exp", "extract", "factorial", "family", "first_value",
    "float4", "float8", "floor", "format", "format_type", "gamma", "gcd", "gen_random_uuid",
    "generate_series", "generate_subscripts", "get_bit", "get_byte", "get_current_ts_config",
    "has_any_column_privilege", "has_column_privilege", "has_database_privilege",
    "has_foreign_data_wrapper_privilege", "has_function_privilege", "has_language_privilege",
    "has_largeobject_privilege", "has_parameter_privilege", "has_schema_privilege",
    "has_sequence_privilege", "has_server_privilege", "has_table_privilege",
    "has_tablespace_privilege", "has_type_privilege", "hashtext", "hashtextextended", "height",
    "host", "hostmask", "inet_client_addr", "inet_client_port", "inet_merge", "inet_same_family",
    "inet_server_addr", "inet_server_port", "initcap", "int2", "int4", "int4multirange",
    "int4range", "int8", "int8multirange", "int8range", "interval", "is_normalized", "isclosed",
    "isempty", "isfinite", "ishorizontal", "isopen", "isparallel", "isperp", "isvertical",
    "json_agg", "json_array_elements", "json_array_elements_text", "json_array_length",
    "json_build_array", "json_build_object", "json_each", "json_each_text", "json_extract_path",
    "json_extract_path_text", "json_object", "json_object_agg", "json_object_keys",
    "json_populate_record", "json_populate_recordset", "json_strip_nulls", "json_to_record",
    "json_to_recordset", "json_to_tsvector", "json_typeof", "jsonb_agg", "jsonb_array_elements",
    "jsonb_array_elements_text", "jsonb_array_length", "jsonb_build_array", "jsonb_build_object",
    "jsonb_concat", "jsonb_delete", "jsonb_each", "jsonb_each_text", "jsonb_extract_path",
    "jsonb_extract_path_text", "jsonb_insert", "jsonb_object", "jsonb_object_agg",
    "jsonb_object_keys", "jsonb_path_exists", "jsonb_path_exists_tz", "jsonb_path_match",
    "jsonb_path_match_tz", "jsonb_path_query", "jsonb_path_query_array",
    "jsonb_path_query_array_tz", "jsonb_path_query_first", "jsonb_path_query_first_tz",
    "jsonb_path_query_tz", "jsonb_populate_record", "jsonb_populate_recordset", "jsonb_pretty",
    "jsonb_set", "jsonb_set_lax", "jsonb_strip_nulls", "jsonb_to_record", "jsonb_to_recordset",
    "jsonb_to_tsvector", "jsonb_typeof", "justify_days", "justify_hours", "justify_interval",
    "lag", "last_value", "lcm", "lead", "left", "length", "lgamma", "like", "like_escape", "line",
    "ln", "log", "log10", "lower", "lower_inc", "lower_inf", "lpad", "lseg", "ltrim", "macaddr",
    "macaddr8", "macaddr8_set7bit", "make_date", "make_interval", "make_time", "make_timestamp",
    "make_timestamptz", "masklen", "max", "md5", "min", "min_scale", "mod", "mode", "money",
    "multirange", "mxid_age", "netmask", "network", "normalize", "notlike", "now", "npoints",
    "nth_value", "ntile", "num_nonnulls", "num_nulls", "numeric", "nummultirange", "numnode",
    "numrange", "obj_description", "octet_length", "overlaps", "overlay", "parse_ident", "path",
    "pclose", "percent_rank", "percentile_cont", "percentile_disc",
    "pg_available_extension_versions", "pg_available_extensions", "pg_backend_pid", "pg_basetype",
    "pg_blocking_pids", "pg_char_to_encoding", "pg_client_encoding",
    "pg_collation_actual_version", "pg_collation_for", "pg_collation_is_visible",
    "pg_column_compression", "pg_column_is_updatable", "pg_column_size", "pg_conf_load_time",
    "pg_conversion_is_visible", "pg_current_snapshot", "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_current_xact_id_if_assigned",
    "pg_database_collation_actual_version", "pg_database_size", "pg_describe_object",
    "pg_encoding_max_length", "pg_encoding_to_char", "pg_extension_update_paths",
    "pg_filenode_relation", "pg_function_is_visible", "pg_get_acl", "pg_get_catalog_foreign_keys",
    "pg_get_constraintdef", "pg_get_expr", "pg_get_function_arg_default",
    "pg_get_function_arguments", "pg_get_function_identity_arguments", "pg_get_function_result",
    "pg_get_function_sqlbody", "pg_get_functiondef", "pg_get_indexdef", "pg_get_keywords",
    "pg_get_object_address", "pg_get_partition_constraintdef", "pg_get_partkeydef",
    "pg_get_replica_identity_index", "pg_get_ruledef", "pg_get_serial_sequence",
    "pg_get_statisticsobjdef", "pg_get_statisticsobjdef_columns",
    "pg_get_statisticsobjdef_expressions", "pg_get_triggerdef", "pg_get_userbyid",
    "pg_get_viewdef", "pg_get_wal_replay_pause_state", "pg_has_role", "pg_identify_object",
    "pg_identify_object_as_address", "pg_index_column_has_property", "pg_index_has_property",
    "pg_indexam_has_property", "pg_indexam_progress_phasename", "pg_indexes_size",
    "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_is_wal_replay_paused",
    "pg_jit_available", "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp", "pg_my_temp_schema",
    "pg_notification_queue_usage", "pg_opclass_is_visible", "pg_operator_is_visible",
    "pg_opfamily_is_visible", "pg_partition_ancestors", "pg_partition_root", "pg_partition_tree",
    "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_is_publishable",
    "pg_relation_is_updatable", "pg_relation_size", "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value", "pg_sequence_parameters", "pg_settings_get_flags", "pg_size_bytes",
    "pg_size_pretty", "pg_snapshot_xip", "pg_snapshot_xmax", "pg_snapshot_xmin",
    "pg_stat_get_analyze_count", "pg_stat_get_autoanalyze_count", "pg_stat_get_autovacuum_count",
    "pg_stat_get_blocks_fetched", "pg_stat_get_blocks_hit", "pg_stat_get_db_blocks_fetched",
    "pg_stat_get_db_blocks_hit", "pg_stat_get_db_conflict_all", "pg_stat_get_db_deadlocks",
    "pg_stat_get_db_numbackends", "pg_stat_get_db_sessions", "pg_stat_get_db_stat_reset_time",
    "pg_stat_get_db_temp_bytes", "pg_stat_get_db_temp_files", "pg_stat_get_db_tuples_deleted",
    "pg_stat_get_db_tuples_fetched", "pg_stat_get_db_tuples_inserted",
    "pg_stat_get_db_tuples_returned", "pg_stat_get_db_tuples_updated",
    "pg_stat_get_db_xact_commit", "pg_stat_get_db_xact_rollback", "pg_stat_get_dead_tuples",
    "pg_stat_get_function_calls", "pg_stat_get_function_self_time",
    "pg_stat_get_function_total_time", "pg_stat_get_ins_since_vacuum",
    "pg_stat_get_last_analyze_time", "pg_stat_get_last_autoanalyze_time",
    "pg_stat_get_last_autovacuum_time", "pg_stat_get_last_vacuum_time", "pg_stat_get_live_tuples",
    "pg_stat_get_mod_since_analyze", "pg_stat_get_numscans", "pg_stat_get_tuples_deleted",
    "pg_stat_get_tuples_fetched", "pg_stat_get_tuples_hot_updated", "pg_stat_get_tuples_inserted",
    "pg_stat_get_tuples_returned", "pg_stat_get_tuples_updated", "pg_stat_get_vacuum_count",
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
    "stddev_samp", "string_agg", "string_to_array", "string_to_table", "strip", "strpos",
    "substr", "substring", "sum", "tan", "tand", "tanh", "text", "textlike", "textnlike", "time",
    "timeofday", "timestamp", "timestamptz", "timetz", "timezone", "to_ascii", "to_bin",
    "to_char", "to_date", "to_hex", "to_json", "to_jsonb", "to_number", "to_oct", "to_regclass",
    "to_regcollation", "to_regnamespace", "to_regoper", "to_regoperator", "to_regproc",
    "to_regprocedure", "to_regrole", "to_regtype", "to_regtypemod", "to_timestamp", "to_tsquery",
    "to_tsvector", "transaction_timestamp", "translate", "trim_array", "trim_scale", "trunc",
    "ts_debug", "ts_delete", "ts_filter", "ts_headline", "ts_lexize", "ts_parse", "ts_rank",
    "ts_rank_cd", "ts_token_type", "tsmultirange", "tsquery_phrase", "tsrange", "tstzmultirange",
    "tstzrange", "tsvector_to_array", "txid_current_if_assigned", "txid_current_snapshot",
    "txid_snapshot_xip", "txid_snapshot_xmax", "txid_snapshot_xmin", "txid_status",
    "txid_visible_in_snapshot", "unistr", "unnest", "upper", "upper_inc", "upper_inf",
    "uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7", "var_pop", "var_samp",
    "varbit", "varchar", "variance", "version", "websearch_to_tsquery", "width", "width_bucket",
    "xml", "xml_is_well_formed", "xml_is_well_formed_content", "xml_is_well_formed_document",
    "xmlagg", "xmlcomment", "xmlexists", "xmltext", "xpath", "xpath_exists",
};

/* Sorted by function.  citext and btree_gist have types and operators only. */
static const struct extension_function {
    const char *name, *extension;
} extension_functions[] = {
    { "akeys", "hstore" },
    { "armor", "pgcrypto" },
    { "avals", "hstore" },
    { "binary_quantize", "vector" },
    { "cosine_distance", "vector" },
    { "cube", "cube" },
    { "cube_dim", "cube" },
    { "cube_distance", "cube" },
    { "cube_enlarge", "cube" },
    { "cube_inter", "cube" },
    { "cube_is_point", "cube" },
    { "cube_ll_coord", "cube" },
    { "cube_subset", "cube" },
    { "cube_union", "cube" },
    { "cube_ur_coord", "cube" },
    { "daitch_mokotoff", "fuzzystrmatch" },
    { "dearmor", "pgcrypto" },
    { "defined", "hstore" },
    { "difference", "fuzzystrmatch" },
    { "digest", "pgcrypto" },
    { "dmetaphone", "fuzzystrmatch" },
    { "dmetaphone_alt", "fuzzystrmatch" },
    { "each", "hstore" },
    { "ean13", "isn" },
    { "earth", "earthdistance" },
    { "earth_box", "earthdistance" },
    { "earth_distance", "earthdistance" },
    { "exist", "hstore" },
    { "fetchval", "hstore" },
    { "gc_to_sec", "earthdistance" },
    { "gen_random_bytes", "pgcrypto" },
    { "hamming_distance", "vector" },
    { "hmac", "pgcrypto" },
    { "hstore", "hstore" },
    { "hstore_to_array", "hstore" },
    { "hstore_to_json", "hstore" },
    { "hstore_to_jsonb", "hstore" },
    { "hstore_to_matrix", "hstore" },
    { "icount", "intarray" },
    { "idx", "intarray" },
    { "inner_product", "vector" },
    { "intset", "intarray" },
    { "is_valid", "isn" },
    { "isbn", "isn" },
    { "isbn13", "isn" },
    { "isdefined", "hstore" },
    { "isexists", "hstore" },
    { "ismn", "isn" },
    { "ismn13", "isn" },
    { "issn", "isn" },
    { "issn13", "isn" },
    { "jaccard_distance", "vector" },
    { "l1_distance", "vector" },
    { "l2_distance", "vector" },
    { "l2_normalize", "vector" },
    { "latitude", "earthdistance" },
    { "lca", "ltree" },
    { "levenshtein", "fuzzystrmatch" },
    { "levenshtein_less_equal", "fuzzystrmatch" },
    { "ll_to_earth", "earthdistance" },
    { "longitude", "earthdistance" },
    { "ltree2text", "ltree" },
    { "make_valid", "isn" },
    { "metaphone", "fuzzystrmatch" },
    { "nlevel", "ltree" },
    { "pg_stat_statements_info", "pg_stat_statements" },
    { "populate_record", "hstore" },
    { "postgis_version", "postgis" },
    { "sec_to_gc", "earthdistance" },
    { "show_limit", "pg_trgm" },
    { "show_trgm", "pg_trgm" },
    { "similarity", "pg_trgm" },
    { "skeys", "hstore" },
    { "slice", "hstore" },
    { "sort_asc", "intarray" },
    { "sort_desc", "intarray" },
    { "soundex", "fuzzystrmatch" },
    { "st_area", "postgis" },
    { "st_asbinary", "postgis" },
    { "st_asewkt", "postgis" },
    { "st_asgeojson", "postgis" },
    { "st_astext", "postgis" },
    { "st_buffer", "postgis" },
    { "st_centroid", "postgis" },
    { "st_collect", "postgis" },
    { "st_contains", "postgis" },
    { "st_convexhull", "postgis" },
    { "st_coveredby", "postgis" },
    { "st_covers", "postgis" },
    { "st_crosses", "postgis" },
    { "st_difference", "postgis" },
    { "st_dimension", "postgis" },
    { "st_disjoint", "postgis" },
    { "st_distance", "postgis" },
    { "st_distancesphere", "postgis" },
    { "st_dwithin", "postgis" },
    { "st_envelope", "postgis" },
    { "st_equals", "postgis" },
    { "st_extent", "postgis" },
    { "st_geohash", "postgis" },
    { "st_geometrytype", "postgis" },
    { "st_geomfromgeojson", "postgis" },
    { "st_geomfromtext", "postgis" },
    { "st_intersection", "postgis" },
    { "st_intersects", "postgis" },
    { "st_isvalid", "postgis" },
    { "st_length", "postgis" },
    { "st_makeenvelope", "postgis" },
    { "st_makeline", "postgis" },
    { "st_makepoint", "postgis" },
    { "st_maxdistance", "postgis" },
    { "st_npoints", "postgis" },
    { "st_overlaps", "postgis" },
    { "st_perimeter", "postgis" },
    { "st_point", "postgis" },
    { "st_pointfromtext", "postgis" },
    { "st_pointonsurface", "postgis" },
    { "st_setsrid", "postgis" },
    { "st_simplify", "postgis" },
    { "st_srid", "postgis" },
    { "st_symdifference", "postgis" },
    { "st_touches", "postgis" },
    { "st_transform", "postgis" },
    { "st_translate", "postgis" },
    { "st_union", "postgis" },
    { "st_within", "postgis" },
    { "st_x", "postgis" },
    { "st_xmax", "postgis" },
    { "st_xmin", "postgis" },
    { "st_y", "postgis" },
    { "st_ymax", "postgis" },
    { "st_ymin", "postgis" },
    { "st_z", "postgis" },
    { "strict_word_similarity", "pg_trgm" },
    { "subarray", "intarray" },
    { "subltree", "ltree" },
    { "subpath", "ltree" },
    { "subvector", "vector" },
    { "svals", "hstore" },
    { "text2ltree", "ltree" },
    { "unaccent", "unaccent" },
    { "uniq", "intarray" },
    { "upc", "isn" },
    { "uuid_generate_v1", "uuid-ossp" },
    { "uuid_generate_v1mc", "uuid-ossp" },
    { "uuid_generate_v3", "uuid-ossp" },
    { "uuid_generate_v4", "uuid-ossp" },
    { "uuid_generate_v5", "uuid-ossp" },
    { "uuid_nil", "uuid-ossp" },
    { "uuid_ns_dns", "uuid-ossp" },
    { "uuid_ns_oid", "uuid-ossp" },
    { "uuid_ns_url", "uuid-ossp" },
    { "uuid_ns_x500", "uuid-ossp" },
    { "vector_dims", "vector" },
    { "vector_norm", "vector" },
    { "word_similarity", "pg_trgm" },
};

const char km_pg_extensions[] =
    "btree_gin,btree_gist,citext,cube,earthdistance,fuzzystrmatch,hstore,intarray,isn,ltree,pg_"
    "stat_statements,pg_trgm,pgcrypto,postgis,seg,unaccent,uuid-ossp,vector";

struct words {
    const char *name, *why;
};

static const struct words writing[] = {
    { "currval", "" }, { "lastval", "" }, { "nextval", "" }, { "setval", "" },
};

static const struct words admins[] = {
    { "pg_cancel_backend", "" },
    { "pg_terminate_backend", "" },
};

#define SYNTAX(release)                                                                            \
    "it is syntax of PostgreSQL " release " and later, and the guard reads the grammar of " \
    KM_PG_GRAMMAR

/* Only so that a refusal can say why; what stands nowhere is refused as well. */
static const struct words dangerous[] = {
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
    { "json", SYNTAX("17") },
    { "json_array", SYNTAX("16") },
    { "json_arrayagg", SYNTAX("16") },
    { "json_exists", SYNTAX("17") },
    { "json_objectagg", SYNTAX("16") },
    { "json_query", SYNTAX("17") },
    { "json_scalar", SYNTAX("17") },
    { "json_serialize", SYNTAX("17") },
    { "json_table", SYNTAX("17") },
    { "json_value", SYNTAX("17") },
    { "lo_export", "it writes a file of the server" },
    { "lo_import", "it reads a file of the server" },
    { "merge_action", SYNTAX("17") },
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
    { "query_to_xml", "it runs SQL given as text" },
    { "schema_to_xml", "it reads every table of the schema" },
    { "set_config", "it changes settings of the session" },
    { "setseed", "it changes the session" },
    { "table_to_xml", "it reads a table that is named in a string" },
    { "ts_rewrite", "one of its forms runs SQL given as text" },
    { "ts_stat", "it runs SQL given as text" },
    { "txid_current", "it takes a transaction id, which is a write" },
    { "xpath_table", "it runs SQL given as text" },
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A name of at most 63 bytes, as the parser cuts them. */
struct key {
    char text[64];
};

static bool make_key(struct km_str name, struct key *key)
{
    if (name.n >= sizeof key->text)
        return false;
    memcpy(key->text, name.p, name.n);
    key->text[name.n] = '\0';
    return true;
}

static int by_text(const void *key, const void *row)
{
    const char *const *name = row; /* the first member of every row */

    return strcmp(key, *name);
}

static const void *look_up(const struct key *key, const void *rows, size_t n, size_t size)
{
    return bsearch(key->text, rows, n, size, by_text);
}

#define FIND(key, rows) look_up(key, rows, COUNT(rows), sizeof(rows)[0])

enum km_pg_function km_pg_function_find(struct km_str name, const char **ret_more)
{
    const struct extension_function *f;
    const struct words *w;
    struct key key;

    *ret_more = NULL;
    if (!make_key(name, &key))
        return KM_PG_FUNCTION_UNKNOWN;
    if (FIND(&key, builtins))
        return KM_PG_FUNCTION_BUILTIN;
    f = FIND(&key, extension_functions);
    if (f) {
        *ret_more = f->extension;
        return KM_PG_FUNCTION_EXTENSION;
    }
    if (FIND(&key, writing))
        return KM_PG_FUNCTION_WRITES;
    if (FIND(&key, admins))
        return KM_PG_FUNCTION_ADMIN;
    w = FIND(&key, dangerous);
    if (!w)
        return KM_PG_FUNCTION_UNKNOWN;
    *ret_more = w->why;
    return KM_PG_FUNCTION_DANGEROUS;
}

bool km_pg_extension_known(struct km_str name)
{
    struct km_str rest = km_str_c(km_pg_extensions), part;

    while (km_str_split(&rest, ',', &part))
        if (km_str_eq(part, name))
            return true;
    return false;
}

/* --- relations --- */

static const struct words denied[] = {
    { "_pg_foreign_servers", "it shows the options of foreign servers" },
    { "_pg_user_mappings", "it shows passwords of foreign servers" },
    { "foreign_server_options", "it shows the options of foreign servers" },
    { "pg_aios", "it shows the inside of the server" },
    { "pg_authid", "it shows password hashes" },
    { "pg_backend_memory_contexts", "it shows the inside of the server" },
    { "pg_config", "it shows paths of the server" },
    { "pg_db_role_setting", "settings of roles may hold secrets" },
    { "pg_file_settings", "it shows files of the server" },
    { "pg_foreign_server", "it shows the options of foreign servers" },
    { "pg_hba_file_rules", "it shows files of the server" },
    { "pg_ident_file_mappings", "it shows files of the server" },
    { "pg_largeobject", "it reads below the privileges of large objects" },
    { "pg_shadow", "it shows password hashes" },
    { "pg_shmem_allocations", "it shows the inside of the server" },
    { "pg_shmem_allocations_numa", "it shows the inside of the server" },
    { "pg_stat_wal_receiver", "it shows how the server connects to another" },
    { "pg_statistic", "it shows values of columns, past what hides them" },
    { "pg_statistic_ext_data", "it shows values of columns, past what hides them" },
    { "pg_stats", "it shows values of columns, past what hides them" },
    { "pg_stats_ext", "it shows values of columns, past what hides them" },
    { "pg_stats_ext_exprs", "it shows values of columns, past what hides them" },
    { "pg_subscription", "it shows how the server connects to another" },
    { "pg_user_mapping", "it shows passwords of foreign servers" },
    { "pg_user_mappings", "it shows passwords of foreign servers" },
    { "user_mapping_options", "it shows passwords of foreign servers" },
};

const char *km_pg_relation_denied(struct km_str schema, struct km_str name)
{
    const struct words *w;
    struct key key;

    if (km_str_starts(schema, KM_STR("pg_toast")) || km_str_starts(schema, KM_STR("pg_temp")))
        return "its schema belongs to the server";
    if (schema.n && !km_str_eq(schema, KM_STR("pg_catalog")) &&
        !km_str_eq(schema, KM_STR("information_schema")))
        return NULL;
    if (!make_key(name, &key))
        return NULL;
    w = FIND(&key, denied);
    return w ? w->why : NULL;
}

/* --- settings --- */

/* What SHOW may tell: how the session reads and writes values, and what a plan depends on. */
static const char *const settings[] = {
    "autovacuum", "block_size", "bytea_output", "checkpoint_timeout", "client_encoding",
    "constraint_exclusion", "cpu_index_tuple_cost", "cpu_operator_cost", "cpu_tuple_cost",
    "cursor_tuple_fraction", "datestyle", "deadlock_timeout", "default_statistics_target",
    "default_text_search_config", "default_transaction_isolation",
    "default_transaction_read_only", "effective_cache_size", "effective_io_concurrency",
    "enable_bitmapscan", "enable_hashagg", "enable_hashjoin", "enable_indexonlyscan",
    "enable_indexscan", "enable_memoize", "enable_mergejoin", "enable_nestloop",
    "enable_partition_pruning", "enable_partitionwise_join", "enable_seqscan", "enable_sort",
    "extra_float_digits", "from_collapse_limit", "geqo", "hash_mem_multiplier",
    "idle_in_transaction_session_timeout", "in_hot_standby", "integer_datetimes",
    "intervalstyle", "jit", "join_collapse_limit", "lc_collate", "lc_ctype", "lc_messages",
    "lc_monetary", "lc_numeric", "lc_time", "lock_timeout", "maintenance_work_mem",
    "max_connections", "max_identifier_length", "max_index_keys",
    "max_parallel_workers", "max_parallel_workers_per_gather", "max_wal_size",
    "max_worker_processes", "parallel_setup_cost", "parallel_tuple_cost", "plan_cache_mode",
    "random_page_cost", "row_security", "search_path", "seq_page_cost", "server_encoding",
    "server_version", "server_version_num", "shared_buffers", "standard_conforming_strings",
    "statement_timeout", "temp_buffers", "temp_file_limit", "timezone", "track_io_timing",
    "transaction_isolation", "transaction_read_only", "wal_level", "work_mem", "xmlbinary",
    "xmloption",
};

bool km_pg_setting_shown(struct km_str name)
{
    struct key key;

    /* What an application sets for itself ("app.secret") is on no list. */
    if (!make_key(name, &key))
        return false;
    for (char *p = key.text; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return FIND(&key, settings) != NULL;
}
