# shellcheck shell=bash
# deps.sh - installs what scripts/dependencies.txt lists and this system lacks.
#
#     source scripts/lib/deps.sh
#     km_deps build            # what building and running needs
#     km_deps build test       # and what checking needs
#
# Nothing missing: one dpkg query, no network, no root.  Otherwise the normal sources
# are asked first.  A package marked `next` whose version there is too old comes from
# the next Debian release through a private apt configuration: its own source list,
# list folder and cache, gone afterwards.  The mirror and the signing key are those of
# the source this system already has for its own release; the system's sources are
# read and never written.  An upgrade or removal of anything installed is refused.

. "$(dirname "${BASH_SOURCE[0]}")/say.sh"

KM_DEPS_LIST=${KM_DEPS_LIST:-$KM_ROOT/scripts/dependencies.txt}

# km_next_release CODENAME: the release after it; empty where there is none to take from.
km_next_release() {
    case $1 in
    bookworm) echo trixie ;;
    esac
}

# Rows "package minimum from" of the given groups.
km_deps_rows() {
    awk -v groups=" $* " '!/^ *(#|$)/ && index(groups, " " $1 " ") { print $2, $3, $4 }' "$KM_DEPS_LIST"
}

# Reads rows on stdin, prints those not installed in the version asked for.
km_deps_missing() {
    local rows package minimum from have
    rows=$(cat)
    [ -n "$rows" ] || return 0
    local -A installed=()
    # shellcheck disable=SC2016 # dpkg expands them
    while read -r package from have; do
        # A package that provides another (pkgconf for pkg-config) counts for it.
        [ "$from" = installed ] && installed[$package]=$have
    done < <(awk '{ print $1 }' <<<"$rows" |
        xargs dpkg-query -W -f='${Package} ${db:Status-Status} ${Version}\n' 2>/dev/null || true)
    while read -r package minimum from; do
        have=${installed[$package]:-}
        if [ -z "$have" ] || ! dpkg --compare-versions "$have" ge "$minimum"; then
            echo "$package $minimum $from"
        fi
    done <<<"$rows"
}

# km_apt_candidate PACKAGE: the version the normal sources would install, or nothing.
km_apt_candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# km_next_sources CODENAME NEXT APT_DIR OUT_DIR: writes one private source file into
# OUT_DIR for each enabled source of APT_DIR (normally /etc/apt) whose suite is exactly
# CODENAME, the same in everything but the suite and the component; prints their paths,
# the system's main file first.  Sources of other suites are somebody else's.
km_next_sources() {
    local codename=$1 next=$2 apt_dir=$3 out_dir=$4 file
    local n=0
    for file in "$apt_dir/sources.list" "$apt_dir/sources.list.d/debian.sources" \
        "$apt_dir"/sources.list.d/*.list "$apt_dir"/sources.list.d/*.sources; do
        [ -r "$file" ] || continue
        [ "$file" != "$apt_dir/sources.list.d/debian.sources" ] || [ $n = 0 ] || continue
        n=$((n + 1))
        case $file in
        *.list) km_next_from_list "$codename" "$next" "$out_dir/next-$n" <"$file" ;;
        *.sources) km_next_from_stanzas "$codename" "$next" "$out_dir/next-$n" <"$file" ;;
        esac
    done
}

# One-line style: deb [options] uri suite component...
km_next_from_list() {
    awk -v codename="$1" -v next_suite="$2" -v out="$3" '
        { sub(/#.*/, "") }
        $1 == "deb" {
            options = ""; rest = $0
            sub(/^[ \t]*deb[ \t]+/, "", rest)
            if (match(rest, /^\[[^]]*\]/)) {
                options = substr(rest, 1, RLENGTH) " "
                rest = substr(rest, RLENGTH + 1)
            }
            count = split(rest, word, /[ \t]+/)
            first = word[1] == "" ? 2 : 1
            if (word[first + 1] != codename) next
            found = 0
            for (i = first + 2; i <= count; i++) if (word[i] == "main") found = 1
            if (!found) next
            file = out "-" (++n) ".list"
            print "deb " options word[first] " " next_suite " main" > file
            close(file); print file
        }'
}

# deb822 style: stanzas of fields, continuation lines begin with a space.
km_next_from_stanzas() {
    awk -v codename="$1" -v next_suite="$2" -v out="$3" '
        function has(list, want,   i, n, w) {
            n = split(list, w, /[ \t\n]+/)
            for (i = 1; i <= n; i++) if (w[i] == want) return 1
            return 0
        }
        function finish(   file) {
            if (has(f["suites"], codename) && has(f["components"], "main") &&
                has(f["types"], "deb") && tolower(f["enabled"]) !~ /no|false/) {
                file = out "-" (++n) ".sources"
                printf "%sTypes: deb\nSuites: %s\nComponents: main\n", keep, next_suite > file
                close(file); print file
            }
            split("", f); keep = ""; name = ""
        }
        /^#/ { next }
        /^[ \t]*$/ { finish(); next }
        /^[ \t]/ { f[name] = f[name] " " $0 }
        /^[^ \t]/ {
            name = tolower(substr($0, 1, index($0, ":") - 1))
            value = substr($0, index($0, ":") + 1)
            sub(/^[ \t]+/, "", value); f[name] = value
        }
        name !~ /^(types|suites|components|enabled)$/ { keep = keep $0 "\n" }
        END { finish() }'
}

# km_apt_next SOURCE_FILE DIR apt-get arguments...: apt with nothing of the system's but
# its list of installed packages.
km_apt_next() {
    local source=$1 dir=$2
    shift 2
    km_root env DEBIAN_FRONTEND=noninteractive apt-get -q \
        -o Dir::Etc::SourceList="$source" -o Dir::Etc::SourceParts=- \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
        -o APT::Default-Release= -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# km_install_next PACKAGE...: from the next release, or a message that says why not.
km_install_next() {
    local codename next dir
    # shellcheck disable=SC1091 # the system's own file
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    next=$(km_next_release "$codename")
    [ -n "$next" ] || km_die "no source here has: $*; see $KM_DEPS_LIST for the versions needed"
    dir=$(mktemp -d)
    chmod 755 "$dir"
    local status=0
    km_install_next_in "$dir" "$codename" "$next" "$@" || status=$?
    km_root rm -rf "$dir"
    return $status
}

km_install_next_in() {
    local dir=$1 codename=$2 next=$3 source plan
    shift 3
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    km_step "from Debian $next, by a private apt configuration: $*"
    while read -r source; do
        km_apt_next "$source" "$dir" update || continue
        plan=$(km_apt_next "$source" "$dir" install --no-install-recommends -s "$@") || continue
        if grep -E '^(Remv|Inst [^ ]+ \[)' <<<"$plan" |
            grep -vE "^Inst ($(tr ' ' '|' <<<"$*")) " >&2; then
            km_die "installing $* from $next would change the packages above; nothing was done"
        fi
        km_apt_next "$source" "$dir" install -y --no-install-recommends --no-remove "$@"
        return
    done < <(km_next_sources "$codename" "$next" "${KM_APT_DIR:-/etc/apt}" "$dir")
    km_die "no apt source of this system for '$codename' leads to '$next' with: $*"
}

# Debian's PostgreSQL makes a database of its own when it is installed and starts it with the
# system.  The tests make theirs; so while it is installed it is told not to, in its own file
# (which it keeps when it is there first), and afterwards the file is what it would have been.
# Databases that are there already are never touched.
KM_CREATECLUSTER=/etc/postgresql-common/createcluster.conf
KM_NO_CLUSTER="create_main_cluster = false # while kanmon's tests install PostgreSQL"

# km_no_cluster_begin FILE
km_no_cluster_begin() {
    km_root mkdir -p "$(dirname "$1")"
    # shellcheck disable=SC2016 # the inner shell expands them
    km_root sh -c 'echo "$1" >>"$2"' sh "$KM_NO_CLUSTER" "$1"
}

# km_no_cluster_end FILE TEMPLATE: our line goes; a file of nothing else becomes the package's.
km_no_cluster_end() {
    km_root sed -i '/# while kanmon.s tests install PostgreSQL$/d' "$1"
    [ -s "$1" ] || [ ! -r "$2" ] || km_root cp "$2" "$1"
}

km_deps() {
    local missing package minimum from have
    local here=() next=()
    command -v dpkg-query >/dev/null ||
        km_die "this is not a Debian system: install what $KM_DEPS_LIST lists by hand"
    missing=$(km_deps_rows "$@" | km_deps_missing)
    [ -n "$missing" ] || return 0
    km_step "packages missing: $(awk '{ printf "%s ", $1 }' <<<"$missing")"
    km_root apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update ||
        km_warn "apt-get update reported errors; going on with what it has"
    while read -r package minimum from; do
        have=$(km_apt_candidate "$package")
        if [ -n "$have" ] && dpkg --compare-versions "$have" ge "$minimum"; then
            here+=("$package")
        elif [ "$from" = next ]; then
            next+=("$package")
        else
            km_die "$package $minimum or newer is needed; the sources here have ${have:-none}"
        fi
    done <<<"$missing"
    if [ ${#here[@]} -gt 0 ]; then
        km_step "from this system's sources: ${here[*]}"
        [[ " ${here[*]}" != *" postgresql"* ]] || km_no_cluster_begin "$KM_CREATECLUSTER"
        km_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
            -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${here[@]}"
        [[ " ${here[*]}" != *" postgresql"* ]] ||
            km_no_cluster_end "$KM_CREATECLUSTER" /usr/share/postgresql-common/createcluster.conf
    fi
    [ ${#next[@]} = 0 ] || km_install_next "${next[@]}"
    missing=$(km_deps_rows "$@" | km_deps_missing)
    [ -z "$missing" ] || km_die "still missing after installing: $missing"
}
