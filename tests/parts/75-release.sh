# shellcheck shell=bash
# about: the optimised build without a warning; the program is hardened
# inputs: src/app/main.c
part_short() {
    local headers
    # Optimising, the compiler sees more: here its warnings are errors too.
    cmake --preset release -DKANMON_WERROR=ON >/dev/null
    km_build release
    headers=$(readelf -W -h -l -d build/release/kanmon)
    hardened() { # hardened "what" PATTERN
        grep -qE "$2" <<<"$headers" || km_die "build/release/kanmon is not hardened: $1"
    }
    hardened "position independent" 'Type: +DYN'
    hardened "relocations read-only" 'GNU_RELRO'
    hardened "all symbols bound at start" 'BIND_NOW|FLAGS.*NOW'
    hardened "no executable stack" 'GNU_STACK.* RW +'
    nm -D build/release/kanmon | grep -q __stack_chk_fail || km_die "no stack protector"
    nm -D build/release/kanmon | grep -q '_chk@' || km_die "no checked libc functions"
}
