# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL 16 to 18 added: each new function the guard lets pass has been read, new syntax
is refused with that reason, and nothing new runs somebody's function."""

import pytest
from releases import Release

from conftest import Server

# Every name that came, or got another form, after 15 and may be called: read in PostgreSQL's
# documentation and source, and found to compute or to look things up, and nothing else.
READ = set("""
    any_value array_reverse array_sample array_shuffle array_sort casefold crc32 crc32c date_add
    date_subtract date_trunc erf erfc gamma generate_series has_largeobject_privilege int2 int4 int8
    json_object_agg json_strip_nulls jsonb_object_agg jsonb_strip_nulls lgamma max min pg_basetype
    pg_column_toast_chunk_id pg_control_init pg_get_acl pg_split_walfile_name pg_stat_get_lastscan
    pg_stat_get_total_vacuum_time pg_stat_get_wal pg_stat_have_stats random random_normal regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr reverse
    string_agg timezone to_bin to_oct to_regtypemod uuid_extract_timestamp uuid_extract_version
    uuidv4 uuidv7 xmltext
""".split())
# Those whose result differs from call to call, by chance, the clock or what the server counted.
VOLATILE = set("array_sample array_shuffle pg_control_init pg_stat_have_stats random random_normal "
               "uuidv4 uuidv7".split())
# Relations that came after 15: counters and names only, or refused as the older ones of their kind.
RELATIONS = {"pg_stat_io", "pg_stat_checkpointer", "pg_wait_events"}
DENIED = {"pg_aios", "pg_shmem_allocations_numa"}
SYSTEM = "('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"

SIGNATURES = f"""
    SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' || '|' || p.proname
        || '|' || p.provolatile::text FROM pg_proc p WHERE p.pronamespace IN {SYSTEM}"""
# Of an operator or a cast: what it is, its function, how volatile that is.
SILENT = f"""
    SELECT o.oid::regoperator::text || '|' || p.proname || '|' || p.provolatile::text
        FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode WHERE o.oprnamespace IN {SYSTEM}
    UNION ALL SELECT c.castsource::regtype || ' AS ' || c.casttarget::regtype || '|' ||
        coalesce(p.proname, '') || '|' || coalesce(p.provolatile::text, 'i')
        FROM pg_cast c LEFT JOIN pg_proc p ON p.oid = c.castfunc WHERE c.oid < 16384"""
NAMES = f"SELECT relname FROM pg_class WHERE relnamespace IN {SYSTEM} AND relkind IN ('r', 'v')"


@pytest.fixture(scope="module", params=["postgres-16", "postgres-17", "postgres-18"])
def newer(request):
    release = Release(request.param)
    try:
        yield release.start()
    finally:
        release.stop()


def added(postgres, newer, sql):
    before = set(postgres.psql(sql).splitlines())
    return sorted(set(newer.psql(sql).splitlines()) - before)


def passes(server, sql):
    return "GUARD_" not in server.call("execute_sql", sql=sql)["content"][0]["text"]


def test_new_functions_are_judged(postgres, newer):
    wrong, seen = [], {}
    with Server(newer.dsn()) as server:
        for row in added(postgres, newer, SIGNATURES):
            signature, name, volatile = row.rsplit("|", 2)
            if name not in seen:
                seen[name] = (passes(server, f"SELECT pg_catalog.{name}()"),
                              passes(server, f"SELECT * FROM pg_catalog.{name}()"))
            if any(seen[name]) and (name not in READ or (volatile == "v") > (name in VOLATILE)):
                wrong.append(signature)
    assert len(seen) > 30 and wrong == [], "\n".join(wrong)


def test_new_operators_and_casts_run_nothing_that_acts(postgres, newer):
    acts = [row for row in added(postgres, newer, SILENT) if not row.endswith("|i")]
    assert acts == []


def test_new_relations_are_judged(postgres, newer):
    with Server(newer.dsn("postgres")) as server:
        for name in added(postgres, newer, NAMES):
            assert name in RELATIONS | DENIED, name
            assert passes(server, f"SELECT * FROM {name} LIMIT 1") == (name in RELATIONS)
            assert passes(server, f"SELECT * FROM pg_catalog.{name} LIMIT 1") == (name in RELATIONS)


# (since, statement); from that release on the server knows it, and the guard says why it does not.
NEWER = [
    (16, "SELECT '1' IS JSON"),
    (16, "SELECT JSON_ARRAY(1, 2)"),
    (16, "SELECT JSON_ARRAYAGG(id) FROM t_acct"),
    (16, "SELECT JSON_ARRAYAGG(id ORDER BY id RETURNING text) FROM t_acct"),
    (16, "SELECT JSON_OBJECTAGG(name: id) FROM t_acct"),
    (16, "SELECT JSON_OBJECT('a': 1)"),
    (16, "SELECT 0x1F, 0b11"),
    (16, "SELECT 1_000"),
    (16, "SELECT count(*) FROM (SELECT id FROM t_acct)"),
    (17, "SELECT JSON_EXISTS(doc, '$.k') FROM t_acct"),
    (17, "SELECT JSON_VALUE(doc, '$.k') FROM t_acct"),
    (17, "SELECT JSON_VALUE(doc, '$.k' RETURNING int) FROM t_acct"),
    (17, "SELECT JSON_QUERY(doc, '$.k' WITH WRAPPER) FROM t_acct"),
    (17, "SELECT JSON_SCALAR(1)"),
    (17, "SELECT JSON_SERIALIZE(doc) FROM t_acct"),
    (17, "SELECT JSON('{}')"),
    (17, "SELECT * FROM JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (a int PATH '$')) t"),
    (17, "SELECT now() AT LOCAL"),
    (17, "MERGE INTO t_acct a USING t_ord o ON a.id = o.id + 1000 WHEN MATCHED THEN "
         "UPDATE SET name = 'x' RETURNING merge_action(), a.id"),
    (17, "MERGE INTO t_acct a USING t_acct b ON a.id = b.id WHEN NOT MATCHED BY SOURCE THEN DELETE"),
    (18, "UPDATE t_acct SET name = name WHERE id = -1 RETURNING WITH (OLD AS o, NEW AS n) o.*, n.*"),
    (18, "CREATE TABLE new_virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)"),
    (18, "CREATE TABLE new_period (a int4range, b int4range, PRIMARY KEY (a, b WITHOUT OVERLAPS))"),
    (18, "CREATE TABLE new_enforced (a int CHECK (a > 0) NOT ENFORCED)"),
]


def test_newer_syntax_is_refused_with_that_reason(newer):
    before = newer.state()
    for mode in ("read-only", "ddl"):
        with Server(newer.dsn("postgres"), "--mode", mode) as server:
            for since, sql in NEWER:
                error = server.error("execute_sql", sql=sql)
                words = error["message"] + error["hint"]
                assert error["code"].startswith("GUARD_"), sql
                assert "the guard reads the grammar of" in words, (sql, error)
    assert newer.state() == before
    # The examples are no misspellings: the server itself runs them.
    for since, sql in NEWER:
        if since <= newer.release:
            newer.psql(f"BEGIN; {sql}; ROLLBACK")


def test_words_that_only_the_server_knows_to_be_new(newer):
    """OLD and NEW in RETURNING are names of tables to an older grammar, SYSTEM_USER a column's:
    what they give is the server's to say, and nothing more can be reached through them."""
    with Server(newer.dsn("postgres"), "--mode", "dml") as server:
        sql = "UPDATE t_acct SET name = 'x' WHERE id = 1 RETURNING OLD.name, NEW.name, OLD.*"
        result = server.call("execute_sql", sql=sql)
        if newer.release >= 18:
            assert result["structuredContent"]["rows"][0][:2] == ["n1", "x"]
            newer.psql("UPDATE t_acct SET name = 'n1' WHERE id = 1")
        else:
            assert '"42P01"' in result["content"][0]["text"]
        # The row's functional notation is looked up as it is for any table.
        error = server.error("execute_sql", sql="UPDATE t_acct SET name = 'x' RETURNING OLD.f_row")
        assert error["code"] == "GUARD_FUNCTION"
        assert server.ok("execute_sql", sql="SELECT system_user")["rows"] == [[None]]


def test_a_type_in_a_string_is_not_converted_to(newer):
    newer.psql("""
        CREATE FUNCTION locks(int) RETURNS bool LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_lock(78); RETURN true; END';
        CREATE DOMAIN checked AS int CHECK (locks(VALUE))""")
    try:
        with Server(newer.dsn()) as server:
            for sql in ("SELECT pg_input_is_valid('5', 'checked')",
                        "SELECT * FROM pg_input_error_info('5', 'checked')"):
                assert "named in a string" in server.error("execute_sql", sql=sql)["message"]
        assert newer.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    finally:
        newer.psql("DROP DOMAIN checked; DROP FUNCTION locks")
