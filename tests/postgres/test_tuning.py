# SPDX-License-Identifier: Apache-2.0
"""Health, activity, locks and statements: each finding is made to happen first."""

import subprocess
import time

import pytest
from gateway import slow_factor

from conftest import Server, bin_folder


@pytest.fixture(scope="module")
def sick(postgres):
    postgres.psql("""
        CREATE SCHEMA ward; SET search_path = ward, public;
        CREATE TABLE a (id smallserial PRIMARY KEY, k int, v text, w int);
        INSERT INTO a (k, v, w) SELECT g, 'x', g FROM generate_series(1, 3000) g;
        SELECT setval('a_id_seq', 32000);
        CREATE INDEX a_k ON a (k); CREATE INDEX a_k_again ON a (k); CREATE INDEX a_k_v ON a (k, v);
        CREATE INDEX a_k_down ON a (k DESC, w);
        CREATE INDEX a_low ON a (lower(v)); CREATE INDEX a_low_again ON a  ( lower( v ) );
        CREATE TABLE c (id int, k int); INSERT INTO c SELECT g, g FROM generate_series(1, 60000) g;
        CREATE INDEX c_k ON c (k); CREATE INDEX c_k_id ON c (k, id);
        CREATE TABLE d (at int, k int) PARTITION BY RANGE (at);
        CREATE TABLE d_1 PARTITION OF d FOR VALUES FROM (1) TO (2);
        CREATE INDEX d_k ON d (k); CREATE INDEX d_k_at ON d (k, at);
        CREATE TABLE b (a_id smallint CONSTRAINT b_to_a REFERENCES a (id), n int);
        INSERT INTO b SELECT 1, g FROM generate_series(1, 2000) g;
        ALTER TABLE b ADD CONSTRAINT b_n CHECK (n > 0) NOT VALID;
        CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER b_t BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION t();
        ALTER TABLE b DISABLE TRIGGER b_t;
        CREATE POLICY p ON b USING (true);
        GRANT CREATE ON SCHEMA ward TO PUBLIC; ANALYZE a; ANALYZE b;
        DELETE FROM a WHERE k > 500;
        """)
    yield postgres
    postgres.psql("DROP SCHEMA ward CASCADE")


def checks(report):
    return {c["check"]: c for c in report["checks"]}


def evidence(check):
    return [f["evidence"] for f in check["findings"]]


def test_health_finds_what_is_wrong(sick):
    deadline = time.monotonic() + 30 * slow_factor()
    with Server(sick.dsn("postgres")) as server:
        while True:  # the statistics come when the sessions end
            found = checks(server.ok("analyze_health"))
            if found["vacuum_lag"]["findings"] or time.monotonic() > deadline:
                break
        assert not [c for c in found.values() if "error" in c]
        assert [(e["index"], e["same_as"]) for e in evidence(found["index_duplicate"])
                if e["table"] == "ward.a"] == [("ward.a_k_again", "ward.a_k"),
                                               ("ward.a_low_again", "ward.a_low")]
        # a_k_again is told of above; a_k_down is sorted the other way; an index is told of once
        redundant = {f["evidence"]["index"]: f for f in found["index_redundant"]["findings"]}
        assert len(redundant) == len(found["index_redundant"]["findings"])
        assert {i: f["evidence"]["begins"] for i, f in redundant.items() if "ward" in i} == {
            "ward.a_k": "ward.a_k_v", "ward.c_k": "ward.c_k_id", "ward.d_k": "ward.d_k_at"}
        assert redundant["ward.d_k"]["fix"] == "DROP INDEX ward.d_k;"
        # the counts are younger than a week
        [unused] = found["index_unused"]["findings"]
        assert unused["severity"] == "info" and unused["threshold"] == 7 > unused["value"]
        assert unused["evidence"]["not_read_so_far"] == 2 and "since" in unused["evidence"]["why"]
        assert unused["fix"].startswith("-- ask again from")
        assert found["foreign_key_without_index"]["findings"][0]["fix"] == (
            "CREATE INDEX CONCURRENTLY ON ward.b (a_id);")
        sequence = [f for f in found["sequence_exhaustion"]["findings"]
                    if f["evidence"]["sequence"] == "ward.a_id_seq"][0]
        assert sequence["severity"] == "critical" and "bigint" in sequence["fix"]
        assert "b_n" in str(evidence(found["constraint_not_validated"]))
        assert "b_t" in str(evidence(found["trigger_disabled"]))
        assert "ward.b" in str(evidence(found["row_security_off"]))
        assert "ward.t()" in str(evidence(found["security_definer_path"]))
        assert {"schema": "ward"} in evidence(found["public_may_create"])
        assert "ward.b" in str(evidence(found["no_primary_key"]))
        assert "ward.a" in str(evidence(found["vacuum_lag"]))
        assert {"fsync", "autovacuum"} <= {e["setting"] for e in evidence(found["settings"])}
        assert found["settings"]["severity"] == "critical"
        one = server.ok("analyze_health", group="index")
        assert {c["group"] for c in one["checks"]} == {"index"}


def test_what_health_advises_mends_it(postgres):
    """Each fix is run as it is written, and what it is for is gone."""
    postgres.psql("""
        CREATE SCHEMA mend; SET search_path = mend, public;
        CREATE TABLE "One" (id smallserial PRIMARY KEY, k int);
        INSERT INTO "One" SELECT g, g / 2 FROM generate_series(1, 2000) g;
        CREATE TABLE two (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "One" smallint REFERENCES
            "One", n int);
        INSERT INTO two ("One", n) SELECT g, g FROM generate_series(1, 2000) g;
        CREATE SEQUENCE alone AS smallint;
        SELECT setval('"One_id_seq"', 32000), setval('two_id_seq', 2140000000), setval('alone', 32000);
        CREATE INDEX ON two (n); CREATE INDEX ON two (n);
        CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
        GRANT CREATE ON SCHEMA mend TO PUBLIC; ANALYZE "One", two""")
    # as it is where building it failed
    with pytest.raises(AssertionError, match="could not create unique index"):
        postgres.psql('CREATE UNIQUE INDEX CONCURRENTLY bad ON mend."One" (k)')
    # the invalid index first: rewriting its table would build it again
    names = ("index_invalid", "sequence_exhaustion", "index_duplicate", "security_definer_path",
             "foreign_key_without_index", "public_may_create")
    try:
        with Server(postgres.dsn("postgres")) as server:
            def found():
                every = checks(server.ok("analyze_health"))
                return {n: [f for f in every[n]["findings"] if "mend" in str(f)] for n in names}

            before = found()
            assert {n: len(f) for n, f in before.items()} == {**dict.fromkeys(names, 1),
                                                              "sequence_exhaustion": 3}
            assert "UNIQUE INDEX bad" in before["index_invalid"][0]["evidence"]["definition"]
            for finding in sum(before.values(), []):
                for statement in finding["fix"].split(";"):
                    postgres.psql(statement)
            assert found() == dict.fromkeys(names, [])
    finally:
        postgres.psql("DROP SCHEMA mend CASCADE")


def test_health_says_what_the_role_could_not_see(sick, reader):
    report = reader.ok("analyze_health")
    assert report["role"]["sees_all"] is False and "pg_monitor" in report["not_seen"]
    found = checks(report)
    assert found["long_transactions"]["limited_by_privilege"] is True
    assert found["index_duplicate"]["limited_by_privilege"] is False
    assert not [c for c in found.values() if "error" in c]


@pytest.fixture
def bad(sick):
    """As `sick`, with what only some roles see: a table and an index that are nearly empty, whose
    statistics belong to who may read it, and sequences at their ends."""
    sick.psql("""
        CREATE TABLE ward.big (id int, v text); ALTER TABLE ward.big ALTER v SET STORAGE PLAIN;
        INSERT INTO ward.big SELECT g, repeat('x', 7000) FROM generate_series(1, 16000) g;
        DELETE FROM ward.big WHERE id % 100 > 0; ANALYZE ward.big;
        CREATE SEQUENCE ward.down AS smallint INCREMENT -1 MINVALUE -30000;
        SELECT setval('ward.down', -29000);
        CREATE ROLE ward_reader LOGIN; CREATE ROLE ward_monitor LOGIN IN ROLE pg_monitor;
        GRANT USAGE ON SCHEMA ward TO ward_reader, ward_monitor;
        GRANT SELECT ON ward.a, ward.b TO ward_reader""")
    yield sick
    sick.psql("DROP TABLE ward.big; DROP SEQUENCE ward.down; DROP OWNED BY ward_reader, ward_monitor;"
              "DROP ROLE ward_reader, ward_monitor")


def test_ok_is_said_of_what_was_seen_whole(bad):
    """What the superuser finds every role finds, or says that it could not see it."""
    reports = {}
    with Session(bad, "BEGIN; SELECT 'open';") as other:
        assert other.process.stdout.readline() == "open\n"
        for role in ("postgres", "ward_reader", "ward_monitor"):
            with Server(bad.dsn(role)) as server:
                report = server.ok("analyze_health")
            reports[role] = checks(report)
            assert sum(report["summary"].values()) == len(report["checks"])
    whole = reports.pop("postgres")
    assert not [c["check"] for c in whole.values() if c["severity"] == "unknown"]
    assert "ward.big" in str(evidence(whole["bloat_table"]))
    assert {"ward.down", "ward.a_id_seq"} <= {
        e["sequence"] for e in evidence(whole["sequence_exhaustion"])}
    for role, found in reports.items():
        for name, check in found.items():
            if check["severity"] == "ok":
                assert not whole[name]["findings"], (role, name)
                assert "not_seen" not in check and not check["limited_by_privilege"]
            assert check.get("seen") == check.get("total") or "GRANT" in check["not_seen"]
        for name in ("bloat_table", "sequence_exhaustion"):
            assert found[name]["severity"] == "unknown" and found[name]["limited_by_privilege"]
            assert found[name]["seen"] < found[name]["total"] == whole[name]["total"]
    assert reports["ward_monitor"]["connections"]["severity"] == whole["connections"]["severity"]
    assert reports["ward_reader"]["connections"]["severity"] == "unknown"
    bad.psql("GRANT SELECT ON ALL TABLES IN SCHEMA ward TO ward_reader;"
             "GRANT SELECT ON ALL SEQUENCES IN SCHEMA ward, public TO ward_reader")
    with Server(bad.dsn("ward_reader")) as server:
        found = checks(server.ok("analyze_health"))
    for name in ("bloat_table", "sequence_exhaustion"):
        assert evidence(found[name]) == evidence(whole[name])


def test_growth_shows_from_one_run_to_the_next(sick):
    with Server(sick.dsn("postgres")) as server:
        server.ok("analyze_health", group="lock")
        sick.psql("INSERT INTO ward.b SELECT 1, g FROM generate_series(1, 20000) g")
        growth = server.ok("analyze_health", group="lock")["growth"]
        assert any(g["grown_bytes"] > 100000 for g in growth)


def test_statements_that_take_most(sick):
    sick.psql("SELECT pg_stat_statements_reset(); SELECT count(*) FROM ward.a, ward.b;"
              "SELECT 'no-one-sees-this'")
    with Server(sick.dsn("postgres")) as server:
        top = server.ok("top_queries", limit=1)
        assert "ward.a" in top["queries"][0]["query"] and top["queries"][0]["calls"] == 1
        assert server.ok("top_queries", sort_by="resources")["queries"]
        assert "no-one-sees-this" not in str(server.ok("top_queries", limit=100))


@pytest.mark.parametrize("mode", ["read-only", "admin"])
def test_no_literal_of_others_is_shown(sick, mode):
    sick.psql("SELECT pg_stat_statements_reset(); CREATE ROLE ward_guest PASSWORD 'pass-one';"
              "ALTER ROLE ward_guest PASSWORD $x$pass-two$x$; COMMENT ON ROLE ward_guest IS 'note-1';"
              "SET ward.x = E'a\\'pass-three'; DROP ROLE ward_guest /* pass-four */")
    with Server(sick.dsn("postgres"), "--mode", mode) as server, \
            Session(sick, "SELECT 'hello'; -- pass-five\nSELECT E'a\\'pass-six', '" + "y" * 2000
                    + "', 'pass-seven';") as other:
        assert other.process.stdout.readline() == "hello\n"
        top = server.ok("top_queries", limit=100)
        texts = [q["query"] for q in top["queries"]]
        assert "CREATE ROLE ward_guest PASSWORD ?" in texts
        assert "ALTER ROLE ward_guest PASSWORD ?" in texts
        shown = str(top) + str(server.ok("list_activity")) + str(server.ok("list_locks"))
        assert "pass-" not in shown and "note-1" not in shown and "yyyy" not in shown
        assert other.process.poll() is None


def test_a_text_that_names_what_is_narrowed_is_withheld(sick, tmp_path):
    definitions = tmp_path / "definitions.yaml"
    definitions.write_text("processors: [{relation: ward.a, columns: [id]}]")
    sick.psql("SELECT pg_stat_statements_reset(); SELECT count(*) FROM ward.a WHERE w IS NULL;"
              'SELECT count(*) FROM ward."a"; SELECT count(*) FROM U&"ward".U&"\\0061";'
              "SELECT count(*) AS shown FROM pg_class")
    with Server(sick.dsn("postgres"), "--definitions", definitions) as server:
        texts = [q["query"] for q in server.ok("top_queries", limit=100)["queries"]]
        assert not [t for t in texts if "ward" in t.lower()], texts
        assert "SELECT ..." in texts and "SELECT count(*) AS shown FROM pg_class" in texts


class Session:
    """psql that holds a transaction open until it is told to end."""

    def __init__(self, postgres, sql):
        self.process = subprocess.Popen(
            [str(bin_folder() / "psql"), "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p",
             str(postgres.port), "-U", "postgres", "postgres"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(sql + "\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def test_locks_show_who_blocks_whom_and_signals_end_it(sick):
    deadline = time.monotonic() + 60 * slow_factor()
    with Server(sick.dsn("postgres"), "--mode", "admin") as server, \
            Session(sick, "BEGIN; LOCK TABLE ward.b; SELECT 'secret-literal';") as holder:
        assert holder.process.stdout.readline() == "secret-literal\n"
        waiter = Session(sick, "SELECT count(*) FROM ward.b WHERE n = 424242;")
        blocking = []
        while len(blocking) < 2 and time.monotonic() < deadline:
            blocking = server.ok("list_locks")["blocking"]
        root, blocked = blocking
        assert root["depth"] == 0 and blocked["depth"] == 1 and blocked["root"] == root["pid"]
        assert blocked["waits_for"]["relation"] == "ward.b"
        activity = server.ok("list_activity")
        assert [s for s in activity["sessions"] if s["blocked_by"] == [root["pid"]]]
        assert "secret-literal" not in str(activity) and "424242" not in str(activity)
        assert server.ok("cancel_query", pid=blocked["pid"])["signalled"] is True
        while "canceling" not in waiter.process.stderr.readline():
            assert waiter.process.poll() is None
        waiter.__exit__()
        assert server.ok("terminate_backend", pid=root["pid"])["signalled"] is True
        while server.ok("list_locks")["blocking"] and time.monotonic() < deadline:
            pass
        assert "no client" in server.error("cancel_query", pid=1)


def test_signals_need_the_mode_admin(sick):
    with Server(sick.dsn("postgres"), "--mode", "ddl") as server:
        names = {t["name"] for t in server.request("tools/list")["result"]["tools"]}
        assert not names & {"cancel_query", "terminate_backend"}
