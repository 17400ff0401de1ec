# shellcheck shell=bash
# tools.sh - the tests' own Node and Python, beside the system's, from lock files.
#
#     source scripts/lib/tools.sh
#     km_node                      # $KM_NODE is the pinned node; it is first in PATH
#     km_node tests/e2e            # and tests/e2e/node_modules is what its lock says
#     km_python tests/e2e/requirements.lock     # $KM_PYTHON has what the lock says
#
# Both are made once under build/tools and again when a lock file changes.  Several
# scripts may call them at the same time.  Nothing here names a registry: npm and pip go
# where this machine's own configuration says.

. "$(dirname "${BASH_SOURCE[0]}")/say.sh"

KM_TOOLS=${KM_TOOLS:-$KM_ROOT/build/tools}

# km_locked NAME COMMAND...: one at a time across processes.
km_locked() {
    local name=$1
    shift
    mkdir -p "$KM_TOOLS"
    (
        flock 9
        "$@"
    ) 9>"$KM_TOOLS/.$name.lock"
}

# km_stamped STAMP COMMAND FILE...: runs COMMAND unless it succeeded for files that say the same,
# wherever they are: two checkouts that share the tools must not install over each other.
km_stamped() {
    local stamp=$1 command=$2 sum
    shift 2
    sum=$(cat -- "$@" | sha256sum)
    [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$sum" ] || return 0
    "$command" "$@"
    echo "$sum" >"$stamp"
}

# km_npm_ci FOLDER: node_modules as package-lock.json says, exactly.
km_npm_ci() {
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts)
}

km_install_node() {
    km_step "the tests' Node, from tests/tools/package-lock.json"
    command -v npm >/dev/null || {
        . "$KM_ROOT/scripts/lib/deps.sh"
        km_deps npm
    }
    rm -rf "$KM_TOOLS/node"
    mkdir -p "$KM_TOOLS/node"
    cp "$KM_ROOT"/tests/tools/{package.json,package-lock.json,.npmrc} "$KM_TOOLS/node/"
    km_npm_ci "$KM_TOOLS/node"
}

km_install_modules() {
    km_step "npm packages, from ${2#"$KM_ROOT"/}"
    km_npm_ci "$(dirname "$1")"
}

# km_node [FOLDER]: the pinned Node, and FOLDER/node_modules by its package-lock.json.
km_node() {
    local folder machine
    km_locked node km_stamped "$KM_TOOLS/node.sum" km_install_node \
        "$KM_ROOT/tests/tools/package.json" "$KM_ROOT/tests/tools/package-lock.json"
    case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) km_die "the tests' Node has no package for $(uname -m)" ;;
    esac
    KM_NODE=$KM_TOOLS/node/node_modules/node-linux-$machine/bin/node
    [ -x "$KM_NODE" ] || km_die "$KM_NODE is missing: remove ${KM_TOOLS#"$KM_ROOT"/} and run this again"
    PATH=$(dirname "$KM_NODE"):$PATH
    export KM_NODE PATH
    [ $# -gt 0 ] || return 0
    folder=$(cd "$1" && pwd)
    mkdir -p "$KM_TOOLS"
    if [ ! -d "$folder/node_modules" ]; then
        rm -f "$KM_TOOLS/modules-$(basename "$folder").sum"
    fi
    km_locked node km_stamped "$KM_TOOLS/modules-$(basename "$folder").sum" km_install_modules \
        "$folder/package.json" "$folder/package-lock.json"
}

# The lock says every package there is to be, so nothing is resolved: what a package asks for with
# an extra is pinned without it, and pip would take a newer one for it as soon as there is one.
km_install_python() {
    km_step "Python packages, from ${1#"$KM_ROOT"/}"
    "$KM_PYTHON" -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --require-hashes --only-binary :all: -r "$1"
    "$KM_PYTHON" -m pip check --disable-pip-version-check
}

# km_python LOCK...: an environment of its own with what the hashed locks say.  The name
# of the lock's folder and file names the environment: two locks are two environments.
km_python() {
    local lock name system=/usr/bin/python3
    [ -x $system ] || system=python3
    for lock in "$@"; do
        lock=$(realpath "$lock")
        name=venv-$(basename "$(dirname "$lock")")-$(basename "$lock" | sed 's/\.[a-z]*$//')
        KM_PYTHON=$KM_TOOLS/$name/bin/python
        if [ ! -x "$KM_PYTHON" ]; then
            rm -f "$KM_TOOLS/$name.sum"
            km_locked "$name" $system -m venv "$KM_TOOLS/$name"
        fi
        km_locked "$name" km_stamped "$KM_TOOLS/$name.sum" km_install_python "$lock"
    done
    export KM_PYTHON
}
