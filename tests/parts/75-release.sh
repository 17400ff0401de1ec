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
    # By a string: grep -q leaves a pipe before nm has said all.
    headers=$(nm -D build/release/kanmon)
    hardened "the stack is not protected" '__stack_chk_fail'
    hardened "libc's functions are not the checked ones" '_chk@'
}
