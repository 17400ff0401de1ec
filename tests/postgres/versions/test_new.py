# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL 16 to 18 added: each new function the guard lets pass has been read, syntax newer
than its grammar is refused with that reason, and nothing new runs somebody's function."""

import pytest
from releases import Release

from conftest import Server, lines_of
from test_gates import run_hostile

# Every name that came, or got another form, after 15 and may be called: read in PostgreSQL's
# documentation and source, and found to compute or to look things up, and nothing else.
READ = set("""
    any_value array_reverse array_sample array_shuffle array_sort casefold crc32 crc32c date_add
    date_subtract date_trunc erf erfc gamma generate_series has_largeobject_privilege int2 int4 int8
    json_object_agg json_strip_nulls jsonb_object_agg jsonb_strip_nulls lgamma max min pg_basetype
    pg_column_toast_chunk_id pg_control_init pg_get_acl pg_split_walfile_name pg_stat_get_lastscan
    pg_stat_get_total_vacuum_time pg_stat_get_wal pg_stat_have_stats random random_normal regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr reverse
    string_agg system_user timezone to_bin to_oct to_regtypemod uuid_extract_timestamp uuid_extract_version
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


EVIL = """
    CREATE FUNCTION evil_check(int) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(91); RETURN true; END';
    CREATE FUNCTION evil_check(text) RETURNS bool LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_lock(91); RETURN true; END';
    CREATE DOMAIN evil_domain AS text CHECK (evil_check(VALUE));
    CREATE DOMAIN evil_number AS int CHECK (evil_check(VALUE));
    CREATE TYPE evil_row AS (d evil_number);
    CREATE TYPE evil_type AS (a int);
    CREATE FUNCTION evil_json(evil_type) RETURNS json LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_advisory_lock(92); RETURN '{}'; END$$;
    CREATE CAST (evil_type AS json) WITH FUNCTION evil_json(evil_type);
    CREATE TABLE evil_table (evil_col evil_type); INSERT INTO evil_table VALUES (ROW(1));
    GRANT SELECT ON evil_table TO mcp_ro"""
CLEAN = """DROP TABLE evil_table; DROP CAST (evil_type AS json); DROP TYPE evil_row;
    DROP DOMAIN evil_domain, evil_number; DROP FUNCTION evil_check(int), evil_check(text),
    evil_json(evil_type); DROP TYPE evil_type"""


@pytest.fixture
def evil(newer):
    if newer.release < 17:
        pytest.skip("its syntax is that of 17")
    newer.psql(EVIL)
    yield newer
    newer.psql(CLEAN)


@pytest.mark.parametrize("role", ["mcp_ro", "postgres"])
def test_hostile_lines_of_17_are_stopped(evil, role):
    before = evil.state()
    with Server(evil.dsn(role), "--statement-timeout", "10s") as server:
        assert run_hostile(server, "hostile-17.tsv", role) == []
    assert evil.state() == before


def test_legitimate_lines_of_17_run(newer):
    if newer.release < 17:
        pytest.skip("its syntax is that of 17")
    wrong = []
    with Server(newer.dsn()) as server:
        for sql, _ in lines_of("legit-17.tsv"):
            result = server.call("execute_sql", sql=sql)
            if result["isError"]:
                wrong.append((sql, result["content"][0]["text"]))
        assert server.ok("execute_sql", sql="SELECT JSON_VALUE('{\"a\": 5}'::jsonb, '$.a' "
                         "RETURNING int)")["rows"] == [[5]]
    assert not wrong, "\n".join(map(str, wrong))


def test_merge_returns_what_it_did(newer):
    if newer.release < 17:
        pytest.skip("MERGE ... RETURNING is of 17")
    sql = ("MERGE INTO t_acct a USING (VALUES (1), (9001)) AS v(id) ON a.id = v.id WHEN MATCHED THEN "
           "UPDATE SET bal = bal WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id) "
           "RETURNING merge_action(), a.id")
    with Server(newer.dsn("postgres"), "--mode", "dml") as server:
        rows = server.ok("execute_sql", sql=sql)["rows"]
        assert sorted(rows) == [["INSERT", 9001], ["UPDATE", 1]]
        assert server.ok("execute_sql", sql="DELETE FROM t_acct WHERE id = 9001")["command"] == "DELETE 1"
        wide = sql.replace("a.id = v.id", "true").replace(
            "WHEN NOT MATCHED THEN INSERT (id) VALUES (v.id)",
            "WHEN NOT MATCHED BY SOURCE THEN DELETE").replace("(1), (9001)", "(1)")
        with Server(newer.dsn("postgres"), "--mode", "dml", "--max-affected", 3) as capped:
            assert "rolled back" in str(capped.error("execute_sql", sql=wide))
        with Server(newer.dsn("postgres")) as reader:
            assert reader.error("execute_sql", sql=sql)["code"] == "GUARD_STATEMENT"


# What the grammar of 17 does not know; a server of 18 runs it.
NEWER = [
    ("UPDATE t_acct SET name = name WHERE id = -1 RETURNING WITH (OLD AS o, NEW AS n) o.*, n.*",
     "RETURNING WITH"),
    ("CREATE TABLE new_virtual (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)", "VIRTUAL"),
    ("CREATE TABLE new_virtual (a int, b int GENERATED ALWAYS AS (a * 2))", "STORED"),
    ("CREATE TABLE new_period (a int4range, b int4range, PRIMARY KEY (a, b WITHOUT OVERLAPS))",
     "WITHOUT OVERLAPS"),
    ("CREATE TABLE new_enforced (a int CHECK (a > 0) NOT ENFORCED)", "NOT ENFORCED"),
    ("ALTER TABLE t_acct ADD CONSTRAINT named NOT NULL name", "NOT NULL"),
]


def test_newer_syntax_is_refused_by_its_name(newer):
    before = newer.state()
    for mode in ("read-only", "ddl"):
        with Server(newer.dsn("postgres"), "--mode", mode) as server:
            for sql, name in NEWER:
                error = server.error("execute_sql", sql=sql)
                words = error["message"] + error["hint"]
                assert error["code"] == "GUARD_SYNTAX", sql
                assert "PostgreSQL 18" in words and "grammar of PostgreSQL 17" in words
                assert name in words, (sql, error)
    assert newer.state() == before
    # The examples are no misspellings: the server itself runs them.
    for sql, _ in NEWER:
        if newer.release >= 18:
            newer.psql(f"BEGIN; UPDATE t_acct SET name = '' WHERE name IS NULL; {sql}; ROLLBACK")


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
