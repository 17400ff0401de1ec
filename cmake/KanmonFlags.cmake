# One INTERFACE target carries language, warnings, hardening and sanitizers.
find_program(KANMON_CCACHE ccache)
if(KANMON_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${KANMON_CCACHE})
endif()

add_library(kanmon_flags INTERFACE)
target_compile_definitions(kanmon_flags INTERFACE _GNU_SOURCE)  # SO_REUSEPORT, ucred, accept4, memmem
target_compile_options(kanmon_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Wundef -Wformat=2
    # clang takes "\x80" "8" in a list for a missing comma; it ends a hex escape.
    # and wants to be told that !"a sentence" is false on purpose.
    $<$<C_COMPILER_ID:Clang>:-Wno-string-concatenation>
    $<$<C_COMPILER_ID:Clang>:-Wno-string-conversion>
    -fno-common
    # Objects from another worktree of the same source are the same objects.
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.
    $<$<BOOL:${KANMON_WERROR}>:-Werror>)

if(KANMON_SANITIZE)
    target_compile_options(kanmon_flags INTERFACE
        -fsanitize=${KANMON_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(kanmon_flags INTERFACE -fsanitize=${KANMON_SANITIZE})
endif()

# Every object is instrumented so that the fuzzers see where an input leads.
if(KANMON_FUZZ)
    target_compile_options(kanmon_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(kanmon_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
        $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>:-fcf-protection>
        $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},aarch64>:-mbranch-protection=standard>)
    target_link_options(kanmon_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

# Version 16 and no other: the next one knows other checks.  The analyzer takes nearly all of
# the time; 15,000 nodes a function, not 225,000, cut it to an eighth (the long form takes all).
set(KANMON_TIDY_NODES 15000 CACHE STRING "how far clang-tidy's analyzer follows one function")
if(KANMON_TIDY)
    find_program(KANMON_CLANG_TIDY NAMES clang-tidy-16 REQUIRED)
    set(CMAKE_C_CLANG_TIDY ${KANMON_CLANG_TIDY} --warnings-as-errors=* --quiet
        --extra-arg=-Xclang --extra-arg=-analyzer-config
        --extra-arg=-Xclang --extra-arg=max-nodes=${KANMON_TIDY_NODES})
endif()
