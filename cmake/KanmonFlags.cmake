# One INTERFACE target carries language, warnings, hardening and sanitizers.
find_program(KANMON_CCACHE ccache)
if(KANMON_CCACHE)
    set(CMAKE_C_COMPILER_LAUNCHER ${KANMON_CCACHE})
endif()

# Some hundred programs of tests, each with its debug information: lld links them in a third of the
# time.  What is shipped is linked by the system's own, which knows gcc's link-time optimisation.
find_program(KANMON_LLD ld.lld)
if(KANMON_LLD AND CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_link_options(-fuse-ld=lld)
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

# scripts/train: what the data plane runs stands together and is built for speed.  What the training
# did not meet is built as without it (partial-training), and counts of two threads are sums (atomic).
if(KANMON_PROFILE STREQUAL "generate")
    target_compile_options(kanmon_flags INTERFACE -fprofile-generate -fprofile-update=atomic)
    target_link_options(kanmon_flags INTERFACE -fprofile-generate)
elseif(KANMON_PROFILE STREQUAL "use")
    target_compile_options(kanmon_flags INTERFACE
        -fprofile-use -fprofile-partial-training -Wno-missing-profile)
elseif(KANMON_PROFILE)
    message(FATAL_ERROR "KANMON_PROFILE is generate, use or empty, not ${KANMON_PROFILE}")
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
