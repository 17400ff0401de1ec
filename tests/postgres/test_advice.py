# SPDX-License-Identifier: Apache-2.0
"""advise_indexes: what it names is created, and the plan must use it."""

import pytest

from conftest import Server


@pytest.fixture(scope="module")
def shop(postgres):
    postgres.psql("""
        CREATE SCHEMA shop; SET search_path = shop, public;
        CREATE TABLE orders (id int PRIMARY KEY, customer int, status text, at timestamptz,
            note text, amount int);
        INSERT INTO orders SELECT g, g * 7 % 2000, CASE WHEN g % 50 = 0 THEN 'it''s open' ELSE 'done'
            END, timestamptz '2026-01-01' + g * interval '150 seconds', repeat('x', 60), g % 977
            FROM generate_series(1, 24000) g;
        CREATE TABLE customers (id int PRIMARY KEY, email text);
        INSERT INTO customers SELECT g, 'a' || g FROM generate_series(0, 1999) g;
        CREATE INDEX orders_status ON orders (status);
        CREATE TABLE papers (id int PRIMARY KEY, title text, tags text[], body jsonb, words tsvector,
            gone timestamptz, code varchar COLLATE "C", story text);
        INSERT INTO papers SELECT g, 'paper ' || md5(g::text), ARRAY['t' || g % 400, 'u' || g % 7],
            jsonb_build_object('k', g % 500, 'pad', repeat('y', 80)),
            to_tsvector('simple', 'w' || g % 600 || ' filler'),
            CASE WHEN g % 100 = 0 THEN now() END, md5(g::text), 'w' || g % 600 || ' filler'
            FROM generate_series(1, 8000) g;
        GRANT USAGE ON SCHEMA shop TO mcp_ro; GRANT SELECT ON ALL TABLES IN SCHEMA shop TO mcp_ro""")
    postgres.psql("VACUUM ANALYZE shop.orders, shop.customers, shop.papers")
    yield postgres
    postgres.psql("DROP SCHEMA shop CASCADE")


@pytest.fixture(params=["estimate", "hypopg"])
def method(request, shop):
    if request.param == "hypopg":
        shop.psql("CREATE EXTENSION hypopg")
    yield request.param
    if request.param == "hypopg":
        left = shop.psql("SELECT count(*) FROM hypopg_list_indexes; DROP EXTENSION hypopg")
        assert left == "0"


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def uses(reader, sql, index):
    plan = reader.ok("explain_query", sql=sql)["plan"][0]["Plan"]
    return index in [n.get("Index Name") for n in nodes(plan)], plan


def create(shop, index, how=""):
    """Makes what was advised; its name and its size.  CONCURRENTLY would read the table twice."""
    name, size = shop.psql(f"""{index["create"].replace(" CONCURRENTLY", how)};
        {"ANALYZE shop.papers;" if "to_tsvector" in index["create"] else ""}
        SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relkind = 'i'
            ORDER BY oid DESC LIMIT 1""").split("|")
    return name, int(size)


QUERIES = ["SELECT * FROM shop.orders o WHERE o.customer = 7 AND o.at > timestamptz '2026-02-10'",
           "SELECT c.email, o.id FROM shop.customers c JOIN shop.orders o ON o.customer = c.id "
           "WHERE c.email = 'a5'"]

# (the statement, what must stand in CREATE INDEX, what must not)
KINDS = {
    "equality-before-range": (QUERIES[0], '("customer", "at")', "WHERE"),
    "equality-before-order": (
        "SELECT * FROM shop.orders WHERE customer = 7 ORDER BY at DESC LIMIT 3",
        '("customer", "at")', "DESC"),
    "mixed-order": ("SELECT * FROM shop.orders ORDER BY customer, at DESC LIMIT 5",
                    '("customer", "at" DESC)', "WHERE"),
    "covering": ("SELECT amount FROM shop.orders WHERE customer BETWEEN 100 AND 400",
                 '("customer") INCLUDE ("amount")', "WHERE"),
    "partial": ("SELECT * FROM shop.orders WHERE status = 'it''s open' AND amount = 3",
                """("amount") WHERE "status" = 'it''s open'""", "INCLUDE"),
    "partial-null": ("SELECT * FROM shop.papers WHERE gone IS NOT NULL ORDER BY id LIMIT 5",
                     '("id") WHERE "gone" IS NOT NULL', "INCLUDE"),
    "gin-jsonb": ("SELECT id FROM shop.papers WHERE body @> '{\"k\": 7}'",
                  'gin ("body" jsonb_path_ops)', "btree"),
    "gin-array": ("SELECT id FROM shop.papers WHERE tags @> ARRAY['t7']", 'gin ("tags")', "btree"),
    "gin-words": ("SELECT id FROM shop.papers WHERE words @@ to_tsquery('simple', 'w7')",
                  'gin ("words")', "btree"),
    "prefix": ("SELECT id FROM shop.papers WHERE title LIKE 'paper ab%'",
               '"title" text_pattern_ops)', "gin"),
    "prefix-behind-equality": (
        "SELECT * FROM shop.papers WHERE story = 'w7 filler' AND title LIKE 'paper a%'",
        '("story", "title" text_pattern_ops)', "WHERE"),
    "prefix-of-bytes": ("SELECT id FROM shop.papers WHERE code LIKE 'ab%'", '("code")', "pattern"),
    "gin-document": ("SELECT id FROM shop.papers WHERE to_tsvector('english', story) @@ "
                     "to_tsquery('english', 'w7')", """gin (to_tsvector('english', "story"))""",
                     "btree"),
    "gin-trigrams": ("SELECT id FROM shop.papers WHERE title LIKE '%abcd%'",
                     'gin ("title" public.gin_trgm_ops)', "btree"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_that_is_advised_is_used(shop, reader, method, kind):
    sql, wanted, unwanted = KINDS[kind]
    got = reader.ok("advise_indexes", queries=[sql], max_indexes=1)
    assert got["method"] == method
    index = got["indexes"][0]
    assert wanted in index["create"] and unwanted not in index["create"], index["create"]
    assert index["estimated"] is (method == "estimate" or "gin" in kind)
    assert index["write_cost"]["rows_written"] > 0 and index["write_cost"]["each"] > 0
    before, after = (got["statements"][0][k] for k in ("cost_before", "cost_after"))
    name, size = create(shop, index)
    try:
        used, plan = uses(reader, sql, name)
        assert used, plan
        assert plan["Total Cost"] < before * 0.9 and after < before * 0.9
        if "gin" not in kind:
            assert size / 3 < index["estimated_bytes"] < size * 3
        if kind == "covering":
            assert any(n["Node Type"] == "Index Only Scan" for n in nodes(plan)), plan
        assert reader.ok("advise_indexes", queries=[sql], max_indexes=1)["indexes"] == []
    finally:
        shop.psql(f"DROP INDEX shop.{name}")


def columns_of(got):
    return [tuple(i["columns"]) for i in got["indexes"]]


def test_advice_without_hypopg_is_an_estimate_and_says_so(shop, reader):
    before = shop.psql("SELECT count(*) FROM pg_indexes")
    got = reader.ok("advise_indexes", queries=QUERIES[:1])
    assert got["method"] == "estimate" and all(i["estimated"] for i in got["indexes"])
    assert columns_of(got)[0][0] == "customer"
    assert got["statements"][0]["cost_after"] < got["statements"][0]["cost_before"] / 5
    assert shop.psql("SELECT count(*) FROM pg_indexes") == before


def test_advice_is_tried_with_hypopg_and_created_it_holds(shop, reader):
    shop.psql("CREATE EXTENSION hypopg")
    try:
        got = reader.ok("advise_indexes", queries=QUERIES)
        assert got["method"] == "hypopg" and got["indexes"][0]["estimated"] is False
        assert any(c[0] == "customer" for c in columns_of(got))
        for s in got["statements"]:
            assert s["cost_after"] < s["cost_before"]
        index = [i for i in got["indexes"] if i["columns"][0] == "customer"][0]
        assert index["create"].startswith(
            'CREATE INDEX CONCURRENTLY ON "shop"."orders" USING btree ("customer"')
        name, _ = create(shop, index, " CONCURRENTLY")
        plan = reader.ok("explain_query", sql=QUERIES[0])["plan"][0]["Plan"]
        assert plan["Node Type"] != "Seq Scan"
        again = reader.ok("advise_indexes", queries=QUERIES[:1])
        assert [c for c in columns_of(again) if c == tuple(got["indexes"][0]["columns"])] == []
        assert shop.psql("SELECT count(*) FROM hypopg_list_indexes") == "0"
        shop.psql(index["undo"].replace("<the name it got>", f"shop.{name}"))
    finally:
        shop.psql("DROP EXTENSION hypopg")


def test_every_statement_of_advice_goes_through_the_guard(shop, reader):
    before = shop.state()
    got = reader.ok("advise_indexes", queries=[
        "SELECT pg_read_file('PG_VERSION') FROM shop.orders WHERE customer = 1",
        "INSERT INTO shop.orders SELECT * FROM shop.orders WHERE customer = 1", QUERIES[0],
        "DELETE FROM shop.orders WHERE customer = 1"])
    errors = [s.get("error", "") for s in got["statements"]]
    assert "pg_read_file" in errors[0] and "INSERT is not allowed" in errors[1]
    assert errors[2:] == ["", ""]
    assert got["statements"][3]["read_as"].startswith("SELECT * FROM shop.orders")
    assert "one statement" in reader.error("advise_indexes", queries=["SELECT 1; DROP TABLE t_ord"])
    assert shop.state() == before


def test_the_first_of_an_order_is_served_by_it(shop, reader):
    shop.psql("CREATE EXTENSION hypopg")
    try:
        got = reader.ok("advise_indexes", max_indexes=1, queries=[
            "SELECT max(at) FROM shop.orders WHERE status = 'done'"])
        assert columns_of(got)[0] == ("status", "at")
        [told] = got["statements"]
        assert told["cost_after"] < told["cost_before"] / 50
    finally:
        shop.psql("DROP EXTENSION hypopg")


def made(got):
    return [i["create"].split(" USING ")[1] for i in got["indexes"]]


@pytest.mark.parametrize("condition,index", [
    ("lower(title) = 'paper 7'", 'btree ((lower("title")))'),
    ("body->>'k' = '7'", """btree ((("body" ->> 'k')))"""),
    ("md5(title) = 'x'", 'btree ((md5("title")))')])
def test_an_index_of_what_is_made_of_a_column_is_tried(shop, reader, condition, index):
    shop.psql("CREATE EXTENSION hypopg")
    try:
        got = reader.ok("advise_indexes", queries=[f"SELECT id FROM shop.papers WHERE {condition}"])
        assert index in made(got), got
        [told] = got["statements"]
        assert told["cost_after"] < told["cost_before"] * 0.9 and "hints" not in got
        assert told["plan_before"] == "Seq Scan on papers"
        assert "supposed btree_shop_papers" in told["plan_after"]
        shop.psql(got["indexes"][0]["create"].replace(" CONCURRENTLY", "") + ";"
                  + "ANALYZE shop.papers")
        again = reader.ok("advise_indexes", queries=[f"SELECT id FROM shop.papers WHERE {condition}"])
        assert again["indexes"] == []
    finally:
        shop.psql("""DROP EXTENSION hypopg; DO $$DECLARE i text; BEGIN FOR i IN SELECT indexrelid::
            regclass::text FROM pg_index WHERE indrelid = 'shop.papers'::regclass AND indexprs IS
            NOT NULL AND NOT indisprimary AND pg_get_indexdef(indexrelid) ~ 'btree' LOOP
            EXECUTE 'DROP INDEX ' || i; END LOOP; END$$""")


def test_or_over_two_columns_gets_an_index_of_each(shop, reader):
    sql = "SELECT id FROM shop.orders WHERE customer = 7 OR amount = 1"
    shop.psql("CREATE EXTENSION hypopg")
    try:
        got = reader.ok("advise_indexes", queries=[sql])
        assert sorted(columns_of(got)) == [("amount",), ("customer",)]
        [told] = got["statements"]
        assert told["cost_after"] < told["cost_before"] / 5
        assert "BitmapOr" in told["plan_after"], told
        assert reader.ok("advise_indexes", queries=[sql], max_indexes=1)["indexes"] == []
    finally:
        shop.psql("DROP EXTENSION hypopg")


def test_the_advice_fits_a_size(shop, reader):
    queries = ["SELECT id FROM shop.orders WHERE customer = 7 AND note = 'x'",
               "SELECT max(at) FROM shop.orders WHERE status = 'done'"]
    got = reader.ok("advise_indexes", queries=queries)
    assert sum(i["estimated_bytes"] for i in got["indexes"]) > 2 ** 20
    small = reader.ok("advise_indexes", queries=queries, max_index_size_mb=1)
    assert sum(i["estimated_bytes"] for i in small["indexes"]) <= 2 ** 20
    assert "does not fit within max_index_size_mb" in small["hints"][-1]
    assert "max_index_size_mb" not in str(got.get("hints"))


def test_what_is_not_tried_is_spoken_of(reader):
    def hints(sql):
        return " ".join(reader.ok("advise_indexes", queries=[sql]).get("hints", []))

    for condition in ("lower(title) = 'x'", "body->>'k' = '7'"):
        assert "an index on that expression" in hints(
            f"SELECT id FROM shop.papers WHERE {condition}")
    assert "OR over several" in hints("SELECT id FROM shop.orders WHERE amount = 1 OR note = 'y'")
    assert hints("SELECT id FROM shop.orders WHERE amount = 1 AND note = lower('Y')") == ""


@pytest.mark.parametrize("hypopg", [False, True])
def test_what_no_index_can_be_made_of_is_spoken_of(shop, reader, hypopg):
    if hypopg:
        shop.psql("CREATE EXTENSION hypopg")
    try:
        for condition, told in (("date_trunc('day', at) = '2026-01-02'", "with a range"),
                                ("amount + 1 = 5", "an index on that expression")):
            got = reader.ok("advise_indexes",
                            queries=[f"SELECT id FROM shop.orders WHERE {condition}"])
            assert got["indexes"] == [] and told in " ".join(got.get("hints", [])), got
    finally:
        shop.psql("DROP EXTENSION IF EXISTS hypopg")


def test_advice_for_what_ran(shop):
    shop.psql("SELECT pg_stat_statements_reset()")
    with Server(shop.dsn("postgres")) as server:
        for n in range(40):  # worth more than keeping it, were all rows written in this moment
            server.ok("execute_sql", params=[n],
                      sql="SELECT id FROM shop.orders WHERE customer = $1 AND note > 'y'")
        got = server.ok("advise_indexes", max_indexes=1)
        assert columns_of(got)[0][0] == "customer"
        assert any("cost_before" in s for s in got["statements"] if "shop.orders" in s["sql"])
        assert got["indexes"][0]["write_cost"]["counted_against_it"] > 0


@pytest.mark.parametrize("said", ["LIKE 'paper ab%'", "LIKE 'paper ab' || '%'"])
def test_a_pattern_that_is_a_parameter_may_be_a_prefix(shop, reader, said):
    """In pg_stat_statements all are: it is assumed, and said so, or served by trigrams."""
    sql = f"SELECT id FROM shop.papers WHERE title {said}"
    shop.psql("DROP EXTENSION pg_trgm")
    try:
        shop.psql(f"SELECT pg_stat_statements_reset(); SELECT pg_stat_reset(); {sql}")
        with Server(shop.dsn("postgres")) as server:
            got = server.ok("advise_indexes", max_indexes=1)
            [index] = got["indexes"]
            assert '("title" text_pattern_ops)' in index["create"], index
            assert "begins with letters" in index["assumes"] and len(got["hints"]) == 1
            assert "LIKE $1" in [s for s in got["statements"] if "cost_after" in s][0]["sql"]
            name, _ = create(shop, index)
            try:
                assert uses(server, sql, name)[0]
                assert not uses(server, sql.replace("'paper", "'%paper"), name)[0]
            finally:
                shop.psql(f"DROP INDEX shop.{name}")
            [told] = server.ok("advise_indexes", queries=[
                sql, sql.replace("paper ab", "p").replace("' || '", "")])["indexes"]
            assert "assumes" not in told  # the statements say what it begins with
    finally:
        shop.psql("CREATE EXTENSION pg_trgm SCHEMA public")
    got = reader.ok("advise_indexes", queries=["SELECT id FROM shop.papers WHERE title LIKE $1"])
    assert 'gin ("title" public.gin_trgm_ops)' in got["indexes"][0]["create"]
    assert "assumes" not in got["indexes"][0] and "text_pattern_ops" in got["hints"][0]
    got = reader.ok("advise_indexes", queries=["SELECT id FROM shop.papers WHERE title ILIKE $1"])
    assert "hints" not in got


@pytest.mark.parametrize("sql", [
    "UPDATE shop.orders o SET note = 'none' FROM shop.customers c WHERE o.customer = -7 AND c.id = 7",
    "DELETE FROM shop.orders WHERE customer = -7 AND note = 'none'"])
def test_what_is_changed_has_to_be_found_first(shop, sql):
    """A role that may only read asks for the rows; the index serves the statement itself too."""
    shop.psql(f"SELECT pg_stat_statements_reset(); SELECT pg_stat_reset(); {sql};"
              "GRANT pg_read_all_stats TO mcp_ro")
    try:
        with Server(shop.dsn()) as server:
            got = server.ok("advise_indexes", max_indexes=1)
    finally:
        shop.psql("REVOKE pg_read_all_stats FROM mcp_ro")
    [told] = [s for s in got["statements"] if "read_as" in s]
    assert told["sql"].startswith(sql[:6]) and told["read_as"].startswith("SELECT * FROM shop.orders")
    assert told["cost_after"] < told["cost_before"] / 5, told
    assert columns_of(got)[0][0] == "customer"
    name, _ = create(shop, got["indexes"][0])
    try:
        plan = shop.psql("EXPLAIN " + sql.replace("-7", "7"))
        assert name in plan, plan
    finally:
        shop.psql(f"DROP INDEX shop.{name}")


def test_trigrams_that_are_not_installed_are_spoken_of(shop, reader):
    sql = KINDS["gin-trigrams"][0]
    assert "hints" not in reader.ok("advise_indexes", queries=[sql])
    shop.psql("DROP EXTENSION pg_trgm")
    try:
        got = reader.ok("advise_indexes", queries=[sql, sql.replace("LIKE", "ILIKE")])
        assert got["indexes"] == [] and len(got["hints"]) == 1
        assert "shop.papers, column title" in got["hints"][0] and "pg_trgm" in got["hints"][0]
    finally:
        shop.psql("CREATE EXTENSION pg_trgm SCHEMA public")


def test_what_is_written_more_than_read_gets_no_index(shop):
    shop.psql("SELECT pg_stat_statements_reset(); SELECT pg_stat_reset()")
    with Server(shop.dsn("postgres")) as server:
        sql = "SELECT id FROM shop.orders WHERE customer = $1 AND note > 'y'"
        server.ok("execute_sql", sql=sql, params=[1])
        assert columns_of(server.ok("advise_indexes", max_indexes=1))[0][0] == "customer"
        shop.psql("UPDATE shop.orders SET amount = amount; VACUUM shop.orders")
        for _ in range(200):  # the counters come when the session that wrote has ended
            if server.ok("advise_indexes", max_indexes=1)["indexes"] == []:
                return
        pytest.fail("what it costs to keep was not counted")


def test_a_large_table_in_its_own_order_gets_a_brin(shop, reader, method):
    """The catalogue says that it is large: a table of a gigabyte would take the test a minute."""
    sql = ("SELECT max(note) FROM shop.orders WHERE at BETWEEN timestamptz '2026-01-20' "
           "AND timestamptz '2026-01-30'")
    assert " USING btree " in reader.ok("advise_indexes", queries=[sql])["indexes"][0]["create"]
    large = "UPDATE pg_class SET relpages = {}, reltuples = {} WHERE oid = 'shop.orders'::regclass"
    shop.psql(large.format(200000, 1.2e7))
    got = reader.ok("advise_indexes", queries=[sql], max_indexes=1)
    index = got["indexes"][0]
    assert index["method"] == "brin" and index["columns"] == ["at"], index
    assert index["estimated_bytes"] < 1000000
    name, _ = create(shop, index)
    try:
        used, plan = uses(reader, sql, name)
        assert used, plan
    finally:
        shop.psql(f"DROP INDEX shop.{name}")


def test_an_index_that_the_new_one_begins_with_is_named(shop, reader):
    shop.psql("CREATE INDEX orders_customer ON shop.orders (customer)")
    try:
        got = reader.ok("advise_indexes", queries=[
            "SELECT * FROM shop.orders WHERE customer = 7 ORDER BY at LIMIT 1"])
        assert [i["makes_redundant"] for i in got["indexes"]] == [["shop.orders_customer"]]
    finally:
        shop.psql("DROP INDEX shop.orders_customer")
