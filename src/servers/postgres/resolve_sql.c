/* SPDX-License-Identifier: Apache-2.0 */
/* resolve_sql.c - the query of resolve.h, in pieces.
 *
 *     refs ─┬─ rels ── behind: with what is in views and policies ── family: with what inherits
 *           │                     │
 *           └─ types ── hand: types, and what is inside them (elements, fields, bases, subtypes)
 *                                             │
 *     findings: each joins one way to run somebody's code to what is at hand
 *
 * A type is `made` where the statement, or a view, names it: values of it are made from others, by
 * a cast, a constant or a JSON text.  Other types are those of columns.  Both count for what runs
 * without being written down: the CHECK of a domain, a cast that is implicit or to json, the
 * functions of an operator class that sorts, groups and compares, those of a range.
 *
 * Policies of rows run as parts of the statement; so does, while it is planned, an immutable
 * function of constants in an index, a constraint or a partition key.
 */
#include "servers/postgres/resolve.h"

/* `known` is what an object must be: made by initdb, or a member of an extension on the list. */
#define KNOWN(class, oid)                                                                          \
    "(" oid " < 16384 OR EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = " class               \
    " AND d.objid = " oid " AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' "      \
    "AND d.refobjid IN (SELECT oid FROM ours)))"

/* An expression as the catalogue keeps it: does it call a function of constants alone? */
#define FOLDS(tree)                                                                                \
    "(" tree " !~ '\\{VAR ' OR " tree " ~ "                                                        \
    "'\\{FUNCEXPR [^{}]*:args (<>|\\((\\{CONST [^{}]*\\} ?)+\\))') "

/* The planner does not know how few names a statement has, and would read all of a catalogue for
 * them; kept apart by OFFSET it is looked at for each name, by its index. */
#define BY_INDEX(rows) "LATERAL (SELECT * FROM " rows " OFFSET 0)"

/* In pieces: no compiler has to take a string of more than 4,095 bytes. */
static const char *const pieces[] = {
    "WITH RECURSIVE refs AS MATERIALIZED ("
    "SELECT * FROM json_to_recordset($1::json) AS r(k text, a int, s name, n name, o text, l text, "
    "r text)), "
    "ours AS MATERIALIZED (SELECT oid FROM pg_extension "
    "WHERE extname = ANY (string_to_array($2, ','))), "
    "path AS MATERIALIZED (SELECT n.oid, n.nspname, p.i "
    "FROM unnest(current_setting('" KM_PG_SCHEMAS "')::name[]) WITH ORDINALITY AS p(nspname, i) "
    "JOIN pg_namespace n ON n.nspname = p.nspname), "
    /* what relations and types stand for: the first on the path */
    "rels AS MATERIALIZED (SELECT r.a, c.oid, c.relkind, c.relnamespace, c.relname "
    "FROM refs r CROSS JOIN LATERAL (SELECT c.* FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace LEFT JOIN path p ON p.oid = n.oid WHERE c.relname = r.n "
    "AND CASE WHEN r.s = '' THEN p.i IS NOT NULL ELSE n.nspname = r.s END "
    "ORDER BY p.i LIMIT 1) c WHERE r.k = 'relation'), "
    "types AS MATERIALIZED (SELECT r.a, t.oid "
    "FROM refs r CROSS JOIN LATERAL (SELECT t.* FROM pg_type t JOIN pg_namespace n "
    "ON n.oid = t.typnamespace LEFT JOIN path p ON p.oid = n.oid WHERE t.typname = r.n "
    "AND CASE WHEN r.s = '' THEN p.i IS NOT NULL ELSE n.nspname = r.s END "
    "ORDER BY p.i LIMIT 1) t WHERE r.k = 'type'), "
    /* views, and what is inside them */
    "seen(a, oid) AS (SELECT a, oid FROM rels UNION SELECT v.a, d.refobjid FROM seen v "
    "JOIN pg_rewrite w ON w.ev_class = v.oid AND w.ev_type = '1' "
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid), "
    /* and behind policies, which is no way to see them */
    "behind(a, oid) AS (SELECT a, oid FROM rels UNION SELECT b.a, x.oid FROM behind b "
    "CROSS JOIN LATERAL (SELECT d.refobjid FROM pg_rewrite w JOIN pg_depend d "
    "ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid "
    "WHERE w.ev_class = b.oid AND w.ev_type = '1' "
    "UNION ALL SELECT d.refobjid FROM pg_class c JOIN pg_policy l ON l.polrelid = c.oid "
    "JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = l.oid "
    "AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> b.oid "
    "WHERE c.oid = b.oid AND c.relrowsecurity AND l.polcmd IN ('r', '*')) x(oid)), "
    "views AS MATERIALIZED (SELECT s.a, c.oid, c.relname, w.oid AS rule FROM behind s "
    "JOIN pg_class c ON c.oid = s.oid AND c.relkind = 'v' "
    "JOIN pg_rewrite w ON w.ev_class = c.oid AND w.ev_type = '1' "
    "WHERE NOT " KNOWN("'pg_class'::regclass", "c.oid") ") ",
    /* --- what is narrowed, its parents and its parts; what stands instead may read it --- */
    ", narrow AS MATERIALIZED (SELECT c.oid FROM refs r JOIN pg_namespace n ON n.nspname = r.s "
    "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.n WHERE r.k = 'narrow'), "
    "kin(oid, up) AS (SELECT oid, u FROM narrow, (VALUES (true), (false)) AS v(u) "
    "UNION SELECT CASE WHEN k.up THEN i.inhparent ELSE i.inhrelid END, k.up FROM kin k "
    "JOIN pg_inherits i ON CASE WHEN k.up THEN i.inhrelid ELSE i.inhparent END = k.oid), "
    "shown AS (SELECT l.a FROM rels l JOIN pg_namespace n ON n.oid = l.relnamespace "
    "JOIN refs r ON r.k = 'shown' AND r.s = n.nspname AND r.n = l.relname), "
    "family(a, oid) AS (SELECT a, oid FROM behind UNION SELECT f.a, i.inhrelid FROM family f "
    "JOIN pg_inherits i ON i.inhparent = f.oid) ",
    /* --- types, and what is inside them: a constant becomes one without a cast --- */
    ", hand(oid, made) AS (SELECT oid, true FROM types UNION SELECT d.refobjid, true FROM views v "
    "JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = v.rule "
    "AND d.refclassid = 'pg_type'::regclass UNION SELECT c.reltype, false FROM behind s "
    "CROSS JOIN " BY_INDEX("pg_class k WHERE k.oid = s.oid AND k.reltype >= 16384") " c "
    "UNION SELECT x.oid, h.made FROM hand h CROSS JOIN LATERAL ("
    "SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = h.oid "
    "AND d.refclassid = 'pg_type'::regclass "
    "UNION ALL SELECT t.typelem FROM pg_type t WHERE t.oid = h.oid AND t.typelem <> 0 "
    "UNION ALL SELECT b.atttypid FROM pg_type t JOIN pg_attribute b ON b.attrelid = t.typrelid "
    "AND b.attnum > 0 AND NOT b.attisdropped WHERE t.oid = h.oid AND t.typrelid <> 0) x(oid) "
    "WHERE x.oid >= 16384 OR h.made), "
    "checks AS MATERIALIZED (SELECT c.oid, c.conbin FROM pg_constraint c "
    "WHERE c.contypid IN (SELECT oid FROM hand) AND c.contypid <> 0 AND c.contype = 'c'), "
    "policies AS MATERIALIZED (SELECT s.a, l.oid, l.polqual, l.polrelid FROM behind s "
    "JOIN pg_class c ON c.oid = s.oid AND c.relrowsecurity JOIN pg_policy l ON l.polrelid = c.oid "
    "WHERE l.polcmd IN ('r', '*') "
    "AND (c.oid NOT IN (SELECT oid FROM rels) OR row_security_active(c.oid))) ",
    /* --- operators that nothing of the statement can reach: all they take are types that are not
     * at hand and that nothing becomes by itself; and PostgreSQL has its own of the name, so that
     * a literal without a type does not end up there --- */
    ", strange AS MATERIALIZED (SELECT t.oid FROM (SELECT oprleft FROM pg_operator "
    "WHERE oid >= 16384 UNION SELECT oprright FROM pg_operator WHERE oid >= 16384) AS u(t) "
    "JOIN pg_type t ON t.oid = u.t WHERE t.oid >= 16384 AND t.typtype IN ('b', 'e', 'r', 'm') "
    "AND t.typcategory IN ('U', 'E', 'R', 'A') "
    "AND NOT t.typispreferred AND t.oid NOT IN (SELECT oid FROM hand) "
    "AND t.typelem NOT IN (SELECT oid FROM hand) "
    "AND NOT EXISTS (SELECT 1 FROM pg_cast c WHERE c.casttarget = t.oid AND c.castcontext = 'i') "
    "AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.k = 'function' AND r.o LIKE '@%' "
    "AND r.o <> '@pg_catalog')), "
    "apart AS MATERIALIZED (SELECT o.oid FROM pg_operator o WHERE o.oid >= 16384 "
    "AND (o.oprleft = 0 OR o.oprleft IN (SELECT oid FROM strange)) "
    "AND (o.oprright = 0 OR o.oprright IN (SELECT oid FROM strange)) "
    "AND EXISTS (SELECT 1 FROM pg_operator b WHERE b.oprname = o.oprname AND b.oid < 16384 "
    "AND b.oprkind = o.oprkind)) ",
    /* --- somebody's operators of names that are written, and what stands beside them there, in the
     * words of guard_types.c, as types --- */
    ", suspects AS MATERIALIZED (SELECT r.a, r.s, coalesce(r.l, '?') AS l, "
    "coalesce(r.r, '?') AS r, "
    "o.oid, o.oprname, o.oprleft, o.oprright FROM refs r JOIN pg_operator o ON o.oprname = r.n "
    "JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE r.k = 'operator' "
    "AND NOT " KNOWN("'pg_operator'::regclass", "o.oid") " AND (r.s = n.nspname "
    "OR (r.s = '' AND n.oid IN (SELECT oid FROM path) AND o.oid NOT IN (SELECT oid FROM apart)))), "
    "words(d, n) AS MATERIALIZED (SELECT l, substr(l, 3)::name FROM suspects "
    "UNION SELECT r, substr(r, 3)::name FROM suspects), "
    "told(d, t) AS MATERIALIZED (SELECT w.d, CASE WHEN w.d NOT LIKE '%[]' THEN y.oid "
    "WHEN y.typarray = 0 THEN 2283 "
    "ELSE y.typarray END "
    "FROM words w JOIN pg_type y ON y.typname = replace(w.n::text, '[]', '')::name "
    "AND y.typnamespace = 'pg_catalog'::regnamespace WHERE w.d LIKE 't:%' "
    "UNION SELECT w.d, CASE WHEN w.d ~ '^[dr]' THEN (SELECT coalesce(nullif(y.typelem, 0), "
    "2283) FROM pg_type y "
    "WHERE y.oid = b.atttypid) ELSE b.atttypid END FROM words w CROSS JOIN (SELECT oid FROM rels "
    "UNION SELECT c.oid FROM refs r JOIN pg_namespace n ON n.nspname = r.s "
    "JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = r.n WHERE r.k = 'system') v "
    "JOIN pg_attribute b ON b.attrelid = v.oid AND b.attname = w.n AND NOT b.attisdropped "
    /* a.b calls b(a) where a has no column b, so it may be what that gives: here, or in what a
     * subselect calls b */
    "WHERE w.d ~ '^[cdqr]:' AND NOT EXISTS (SELECT 1 FROM pg_proc p "
    "JOIN pg_type z ON z.oid = CASE WHEN p.provariadic <> 0 AND p.pronargs = 1 "
    "THEN p.provariadic ELSE p.proargtypes[0] END WHERE p.proname = w.n AND p.pronargs >= 1 "
    "AND z.typtype IN ('p', 'c', 'd')) AND NOT EXISTS (SELECT 1 FROM pg_cast k "
    "JOIN pg_type z ON z.oid = k.castsource AND z.typtype IN ('c', 'd') "
    "JOIN pg_type g ON g.oid = k.casttarget AND g.typname = w.n WHERE k.oid >= 16384) "
    "UNION SELECT w.d, p.prorettype FROM words w JOIN pg_proc p ON p.proname = w.n "
    "AND p.pronamespace = 'pg_catalog'::regnamespace WHERE w.d LIKE 'f:%' "
    "UNION SELECT w.d, o.oprresult FROM words w JOIN pg_operator o ON o.oprname = w.n "
    "WHERE w.d LIKE 'o:%'), "
    /* of what is polymorphic nothing is known: of anyarray, that it is an array */
    "sides(d, t, how) AS MATERIALIZED (SELECT d, t, CASE WHEN EXISTS (SELECT 1 FROM pg_type y "
    "WHERE y.oid = t AND y.typtype <> 'p') THEN 't' ELSE '?' END FROM told UNION ALL "
    "SELECT d, 0::oid, CASE WHEN d IN ('l', 'p') THEN 'l' WHEN d = '-' THEN '-' ELSE '?' END "
    "FROM words WHERE d NOT IN (SELECT d FROM told)) ",
    /* --- which of them can become what such an operator takes, by itself --- */
    ", takes(t) AS MATERIALIZED (SELECT oprleft FROM suspects "
    "UNION SELECT oprright FROM suspects), "
    "bases(t, b) AS (SELECT t, t FROM (SELECT t FROM told UNION SELECT t FROM takes) q "
    "UNION SELECT s.t, y.typbasetype FROM bases s JOIN pg_type y ON y.oid = s.b "
    "AND y.typtype = 'd'), "
    "becomes(t, g) AS MATERIALIZED (SELECT c.t, g.t FROM bases c JOIN pg_type cy ON cy.oid = c.b "
    "CROSS JOIN bases g JOIN pg_type gy ON gy.oid = g.b "
    "WHERE c.t IN (SELECT t FROM told) AND g.t IN (SELECT t FROM takes) "
    "AND (c.b = g.b OR cy.typtype = 'p' OR gy.typtype = 'p' "
    "OR (cy.typcategory = 'A' AND gy.typcategory = 'A') OR (cy.typtype = 'c' AND gy.typtype = 'c') "
    "OR EXISTS (SELECT 1 FROM pg_cast k WHERE k.castsource = c.b AND k.casttarget = g.b "
    "AND k.castcontext = 'i'))), "
    "reached AS MATERIALIZED (SELECT s.a, s.oid FROM suspects s WHERE s.s <> '' OR EXISTS ("
    "SELECT 1 FROM sides x CROSS JOIN sides y WHERE x.d = s.l AND y.d = s.r AND CASE x.how "
    "WHEN '?' THEN true WHEN 'l' THEN s.oprleft <> 0 WHEN '-' THEN s.oprleft = 0 ELSE EXISTS ("
    "SELECT 1 FROM becomes k WHERE k.t = x.t AND k.g = s.oprleft) END "
    "AND (y.how <> 't' OR EXISTS (SELECT 1 FROM becomes k WHERE k.t = y.t AND k.g = s.oprright)) "
    /* between two types that PostgreSQL's own is made for, that one is taken */
    "AND NOT (x.how <> '?' AND y.how <> '?' AND EXISTS (SELECT 1 FROM pg_operator b "
    "WHERE b.oprname = s.oprname AND b.oid < 16384 "
    "AND b.oprleft = CASE x.how || y.how WHEN 'll' THEN 25 WHEN 'lt' THEN y.t ELSE x.t END "
    "AND b.oprright = CASE x.how || y.how WHEN 'll' THEN 25 WHEN 'tl' THEN x.t ELSE y.t END) "
    /* two literals are texts, unless somebody's type is preferred to them */
    "AND NOT (x.how || y.how = 'll' AND EXISTS (SELECT 1 FROM pg_type z "
    "WHERE z.oid IN (s.oprleft, s.oprright) AND z.oid >= 16384 AND z.typispreferred))))) ",
    /* --- things that run what they depend on, and what that is --- */
    ", things(kind, a, class, oid) AS ("
    "SELECT 'in view', v.a, 'pg_rewrite'::regclass, v.rule FROM views v "
    "UNION ALL SELECT 'policy', l.a, 'pg_policy'::regclass, l.oid FROM policies l "
    "UNION ALL SELECT 'domain', -1, 'pg_constraint'::regclass, c.oid FROM checks c "
    "UNION ALL SELECT 'planned', f.a, 'pg_class'::regclass, i.indexrelid FROM family f "
    "CROSS JOIN " BY_INDEX("pg_index k WHERE k.indrelid = f.oid") " i "
    "WHERE " FOLDS("i.indexprs::text") "OR " FOLDS("i.indpred::text")
    "UNION ALL SELECT 'planned', f.a, 'pg_constraint'::regclass, c.oid FROM family f "
    "CROSS JOIN " BY_INDEX("pg_constraint k WHERE k.conrelid = f.oid AND k.contype = 'c'") " c "
    "WHERE " FOLDS("c.conbin::text")
    "UNION ALL SELECT 'planned', f.a, 'pg_class'::regclass, f.oid FROM family f "
    "JOIN pg_partitioned_table k ON k.partrelid = f.oid WHERE " FOLDS("k.partexprs::text") "), "
    ,
    "runs(kind, a, class, oid) AS (SELECT t.kind, t.a, d.refclassid, d.refobjid FROM things t "
    "JOIN pg_depend d ON d.classid = t.class AND d.objid = t.oid AND d.refobjid >= 16384 "
    "AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass) "
    "UNION ALL SELECT 'operator', a, 'pg_operator'::regclass, oid FROM reached "
    /* a cast that is not implicit must name its target; the guard names json for its makers.  One
     * that is comes into play where there is a value of its source: of a type that is at hand, an
     * extension's or PostgreSQL's own, or what a function gives that somebody vouches for */
    "UNION ALL SELECT 'cast', -1, 'pg_proc'::regclass, c.castfunc FROM pg_cast c "
    "WHERE c.oid >= 16384 AND c.castfunc >= 16384 "
    "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass "
    "AND d.objid = c.oid AND d.deptype = 'i') " /* a range's own, to its multirange */
    "AND CASE WHEN c.castcontext = 'i' THEN (c.castsource < 16384 AND c.casttarget < 16384) "
    "OR c.castsource IN (SELECT oid FROM hand) "
    "OR EXISTS (SELECT 1 FROM pg_type e WHERE e.typarray = c.castsource "
    "AND e.oid IN (SELECT oid FROM hand)) "
    "OR (c.casttarget IN (SELECT oid FROM hand) "
    "AND (" KNOWN("'pg_type'::regclass", "c.castsource") " OR EXISTS (SELECT 1 FROM refs r "
    "WHERE r.k = 'function' AND r.o LIKE '@%' AND r.o <> '@pg_catalog'))) "
    "WHEN c.casttarget = 'json'::regtype AND c.castsource IN (SELECT oid FROM hand) "
    "AND EXISTS (SELECT 1 FROM views) THEN true "
    /* WHERE, LIMIT, RANGE and others take what can be assigned to what they need */
    "ELSE (c.casttarget IN (SELECT oid FROM hand WHERE made) OR (c.castcontext = 'a' "
    "AND c.casttarget IN (16, 20, 25, 142, 700, 701))) " /* bool, int8, text, xml, float4, float8 */
    "AND (c.castsource IN (SELECT oid FROM hand) "
    "OR " KNOWN("'pg_type'::regclass", "c.castsource") ") END "
    /* what sorts, groups and compares values of a type; what a range does with its bounds */
    "UNION ALL SELECT 'class', -1, 'pg_proc'::regclass, p.oid FROM pg_opclass c "
    "CROSS JOIN LATERAL (SELECT m.amproc::oid FROM pg_amproc m WHERE m.amprocfamily = c.opcfamily "
    "UNION ALL SELECT r.oprcode::oid FROM pg_amop m JOIN pg_operator r ON r.oid = m.amopopr "
    "WHERE m.amopfamily = c.opcfamily) x(oid) JOIN pg_proc p ON p.oid = x.oid "
    "WHERE c.oid >= 16384 AND p.oid >= 16384 AND p.prolang <> 13 "
    "AND ((c.opcdefault AND c.opcmethod IN (403, 405) "
    "AND (c.opcintype < 16384 OR c.opcintype IN (SELECT oid FROM hand))) "
    "OR c.oid IN (SELECT g.rngsubopc FROM hand h JOIN pg_range g ON g.rngtypid = h.oid) "
    "OR c.oid IN (SELECT unnest(i.indclass::oid[]) FROM family f "
    "JOIN pg_index i ON i.indrelid = f.oid) "
    "OR c.oid IN (SELECT unnest(k.partclass::oid[]) FROM family f "
    "JOIN pg_partitioned_table k ON k.partrelid = f.oid)) "
    /* and what was added to a family of PostgreSQL's, as in_range of RANGE BETWEEN */
    "UNION ALL SELECT 'class', -1, 'pg_proc'::regclass, m.amproc FROM pg_amproc m "
    "JOIN pg_proc p ON p.oid = m.amproc WHERE m.oid >= 16384 AND m.amprocfamily < 16384 "
    "AND m.amproc >= 16384 AND p.prolang <> 13 "
    "UNION ALL SELECT 'class', -1, 'pg_proc'::regclass, x.f FROM hand h "
    "JOIN pg_range g ON g.rngtypid = h.oid "
    "CROSS JOIN LATERAL (VALUES (g.rngcanonical::oid), (g.rngsubdiff::oid)) x(f) "
    "WHERE h.oid >= 16384 AND x.f >= 16384) "
    ,
    /* --- findings --- */
    "SELECT x.kind, x.a AS at, CASE x.class WHEN 'pg_proc'::regclass "
    "THEN x.oid::regprocedure::text ELSE (SELECT o.oprcode::regprocedure || ' of the operator ' || "
    "o.oid::regoperator FROM pg_operator o WHERE o.oid = x.oid) END AS what FROM runs x "
    "WHERE NOT " KNOWN("x.class", "x.oid") " "
    "UNION ALL SELECT 'function', r.a, p.oid::regprocedure::text FROM refs r "
    "JOIN pg_proc p ON p.proname = r.n JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE r.k = 'function' "
    "AND (r.s = n.nspname OR (r.s = '' AND n.oid IN (SELECT oid FROM path))) "
    "AND CASE WHEN r.o LIKE '@%' THEN n.nspname <> substr(r.o, 2) "
    "WHEN r.o = '*' THEN NOT " KNOWN("'pg_proc'::regclass", "p.oid") " "
    "ELSE NOT EXISTS (SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid "
    "WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid "
    "AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = r.o) END "
    /* the functions of a base type are unknown */
    "UNION ALL SELECT 'type', coalesce((SELECT y.a FROM types y WHERE y.oid = t.oid LIMIT 1), -1), "
    "t.oid::regtype::text FROM hand h JOIN pg_type t ON t.oid = h.oid "
    "WHERE h.made AND t.typtype IN ('b', 'p') AND NOT " KNOWN("'pg_type'::regclass", "t.oid") " "
    "AND NOT EXISTS (SELECT 1 FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) "
    ,
    "UNION ALL SELECT CASE WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN 'builtin' "
    "ELSE 'attribute' END, r.a, p.proname FROM refs r JOIN pg_proc p ON p.proname = r.n "
    "JOIN pg_type t ON t.oid = CASE WHEN p.provariadic <> 0 AND p.pronargs = 1 "
    "THEN p.provariadic ELSE p.proargtypes[0] END "
    "WHERE r.k IN ('attribute', 'scalar') AND p.pronargs >= 1 "
    "AND p.pronargs - p.pronargdefaults <= 1 AND (t.typtype = 'p' OR t.typtype = 'd' "
    "OR (r.k = 'scalar' AND t.typtype <> 'c' AND p.pronamespace IN (SELECT oid FROM path) "
    "AND NOT EXISTS (SELECT 1 FROM pg_cast k WHERE k.castfunc = p.oid AND k.oid < 16384)) "
    "OR (t.typtype = 'c' AND NOT EXISTS ("
    "SELECT 1 FROM pg_attribute b WHERE b.attrelid = t.typrelid AND b.attname = r.n "
    "AND NOT b.attisdropped))) ",
    "UNION ALL SELECT 'foreign', f.a, c.oid::regclass::text FROM family f "
    "CROSS JOIN " BY_INDEX("pg_class k WHERE k.oid = f.oid AND k.relkind = 'f'") " c "
    "UNION ALL SELECT 'narrowed', s.a, s.oid::regclass::text FROM seen s "
    "WHERE s.oid IN (SELECT oid FROM kin) AND s.a NOT IN (SELECT a FROM shown) "
    "AND NOT EXISTS (SELECT 1 FROM rels l WHERE l.a = s.a AND l.oid = s.oid "
    "AND l.oid IN (SELECT oid FROM narrow)) "
    "UNION ALL SELECT 'view', v.a, pg_get_viewdef(v.oid) FROM views v "
    "UNION ALL SELECT 'rule', -1, 'SELECT ' || pg_get_expr(c.conbin, 0) FROM checks c "
    "UNION ALL SELECT 'rule', l.a, 'SELECT ' || pg_get_expr(l.polqual, l.polrelid) "
    "FROM policies l WHERE l.polqual IS NOT NULL",
};

void km_pg_resolve_sql(struct km_buf *out)
{
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        km_buf_str(out, km_str_c(pieces[i]));
}
