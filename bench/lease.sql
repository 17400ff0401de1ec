-- The safe lease of src/servers/postgres/lease_fly.c as pgbench drives it: what is left when there
-- is no gateway, no HTTP, no JSON and no guard. bench/harness/postgres.py fills in what stands
-- between at signs from the server's log of one call of kanmon's, and fails when that says more or
-- less than this. Names were looked up before, and the catalogue has not changed since.
--
--     pgbench -n -M extended -D statement_ms=30000 -D lock_ms=5000 -D once=0 -D discard=0 -f ...
--
-- Two round trips, as ours where a look-up could come between; once=1: one, as ours where the
-- catalogue has stood still for a while. discard=1: what a statement needs that is not pure.
\startpipeline
BEGIN READ ONLY;
@ANCHOR@;
\if :once = 0
\endpipeline
\startpipeline
\endif
@QUERY@;
ROLLBACK;
\endpipeline
\if :discard = 1
DISCARD ALL;
\endif
