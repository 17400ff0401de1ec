# shellcheck shell=bash
# about: the optimised build without a warning; the program is hardened
# inputs: src/app/main.c
part_short() {
    local headers said
    # Optimising, the compiler sees more: here too a warning fails.  Not by -Werror, with which every
    # object would be another than those quickstart and the bench build.
    said=$(mktemp)
    km_build release 2>&1 | tee "$said"
    if grep -q 'warning:' "$said"; then
        rm -rf build/release "$said" # what is built does not warn again
        km_die "the optimised build warns"
    fi
    rm -f "$said"
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
