# shellcheck shell=bash
# say.sh - how the scripts speak: every step is announced before it runs, what went
# wrong goes to stderr with what to do about it.  Colour only on a terminal.
# Source it after `set -euo pipefail`; it sets KM_ROOT, the top of the source tree.

KM_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export KM_ROOT

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    km_bold=$'\033[1m' km_red=$'\033[31m' km_off=$'\033[0m'
else
    km_bold='' km_red='' km_off=''
fi

km_step() {
    printf '%s==> %s%s\n' "$km_bold" "$*" "$km_off"
}

km_note() {
    printf '    %s\n' "$*"
}

km_warn() {
    printf '%s!!  %s%s\n' "$km_red" "$*" "$km_off" >&2
}

km_die() {
    km_warn "$@"
    exit 1
}

# km_root COMMAND...: as root, by sudo where we are not.  Never asks for a password
# where nobody can type one.
km_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        km_die "this step needs root and there is no sudo: run it as root once: $*"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}
