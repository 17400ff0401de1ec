#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deps.sh - how scripts/lib/deps.sh reads the list of packages and the system's sources.
# Nothing is installed and no network is asked.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/check.sh"
. "$here/../../scripts/lib/deps.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

apt() { # apt NAME: a fresh apt folder
    apt=$work/$1
    mkdir -p "$apt/sources.list.d" "$work/$1.out"
}

next() { # what would be written, in order
    local file
    while read -r file; do
        cat "$file"
        echo --
    done < <(km_next_sources bookworm trixie "$apt" "$apt.out")
}

apt deb822
cat >"$apt/sources.list.d/a-vendor.sources" <<'END'
Types: deb
URIs: https://packages.vendor.example/apt
Suites: stable
Components: main
END
cat >"$apt/sources.list.d/debian.sources" <<'END'
# made by the installer
Types: deb deb-src
URIs: http://mirror.example/debian
# a remark
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
END
holds "the stanza of the running release is taken, others are left" same \
    "URIs: http://mirror.example/debian
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Types: deb
Suites: trixie
Components: main
--" "$(next)"

apt key
cat >"$apt/sources.list.d/debian.sources" <<'END'
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Check-Valid-Until: no
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w
 -----END PGP PUBLIC KEY BLOCK-----
END
holds "a key written into the stanza and its other fields come along" same \
    "URIs: http://mirror.example/debian
Check-Valid-Until: no
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w
 -----END PGP PUBLIC KEY BLOCK-----
Types: deb
Suites: trixie
Components: main
--" "$(next)"

apt oneline
cat >"$apt/sources.list" <<'END'
# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian  bookworm  contrib main # ours
deb http://mirror.example/debian bookworm-updates main
deb http://mirror.example/debian-security bookworm-security main
END
holds "one-line sources keep their options" same \
    "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main
--" "$(next)"

apt several
echo 'deb http://vendor.example/debian bookworm main' >"$apt/sources.list.d/a-vendor.list"
echo 'deb http://mirror.example/debian bookworm main' >"$apt/sources.list"
holds "the system's own file is tried before those of others" same \
    "deb http://mirror.example/debian trixie main
--
deb http://vendor.example/debian trixie main
--" "$(next)"

apt off
cat >"$apt/sources.list.d/debian.sources" <<'END'
Enabled: no
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.example/debian
Suites: bookworm
Components: stable
END
holds "what is switched off, source only or without main is not taken" same "" "$(next)"

KM_DEPS_LIST=$work/list
cat >"$KM_DEPS_LIST" <<'END'
# group package minimum from reason
build    dpkg             1.0     here  everywhere
build    dpkg             9999    next  nowhere
build    no-such-package  1       next  nowhere
test     no-other-package 1       here  nowhere
END
holds "rows are those of the groups asked for" same "dpkg 1.0 here
dpkg 9999 next
no-such-package 1 next" "$(km_deps_rows build)"
holds "what is absent or too old is missing" same "dpkg 9999 next
no-such-package 1 next" "$(km_deps_rows build | km_deps_missing)"
holds "no row, nothing missing" same "" "$(km_deps_rows none | km_deps_missing)"

km_root() { "$@"; }
conf=$work/etc/createcluster.conf
echo "ssl = on" >"$work/template"
km_no_cluster_begin "$conf"
holds "PostgreSQL is told to make no database where it was never configured" same \
    "$KM_NO_CLUSTER" "$(cat "$conf")"
km_no_cluster_end "$conf" "$work/template"
holds "and gets its own file afterwards" same "ssl = on" "$(cat "$conf")"
echo "data_directory = '/srv/%v'" >"$conf"
km_no_cluster_begin "$conf"
km_no_cluster_end "$conf" "$work/template"
holds "somebody's own file is left as it was" same "data_directory = '/srv/%v'" "$(cat "$conf")"

list=$KM_ROOT/scripts/dependencies.txt
holds "every row of the real list has a group, a source and a reason" same "" \
    "$(awk '!/^ *(#|$)/ && (NF < 5 || $1 !~ /^(build|test|vm|npm)$/ || $4 !~ /^(here|next)$/)' "$list")"
holds "only what asks for an old libc may come from the next release" same \
    "libllhttp-dev libyyjson-dev libpg-query-dev" "$(awk '$4 == "next" && !/^#/ { print $2 }' "$list" | xargs)"
summary
