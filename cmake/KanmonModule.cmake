# kanmon_module(http SOURCES ... DEPS kanmon::base kanmon::net EXTERNAL kanmon_ext::llhttp)
# One static library per layer.  DEPS is the law: a unit test links its own layer only, so
# an upward call fails to link; lint.layers catches includes and lint.archives a call in an
# object that no test pulls.  A layer can only name what CMakeLists.txt added before it.
function(kanmon_module name)
    cmake_parse_arguments(M "" "" "SOURCES;DEPS;EXTERNAL" ${ARGN})
    foreach(dep ${M_DEPS})
        if(NOT TARGET ${dep})
            message(FATAL_ERROR "layer '${name}' asks for ${dep}, which is not below it")
        endif()
    endforeach()
    add_library(km_${name} STATIC ${M_SOURCES})
    add_library(kanmon::${name} ALIAS km_${name})
    target_link_libraries(km_${name} PUBLIC ${M_DEPS} PRIVATE kanmon_flags ${M_EXTERNAL})
    target_include_directories(km_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)  # "http/sse.h"
    set_property(GLOBAL APPEND PROPERTY KANMON_LAYERS ${name})
endfunction()

# kanmon_test(http sse): builds tests/unit/http/test_sse.c against kanmon::http.  What
# follows the name is linked too.
function(kanmon_test layer module)
    add_executable(test_${layer}_${module} ${PROJECT_SOURCE_DIR}/tests/unit/${layer}/test_${module}.c)
    target_link_libraries(test_${layer}_${module} PRIVATE kanmon::${layer} kanmon_flags kanmon_ext::cmocka ${ARGN})
    add_test(NAME unit.${layer}.${module} COMMAND test_${layer}_${module})
    set_tests_properties(unit.${layer}.${module} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()

# kanmon_fuzz(http sse): builds tests/fuzz/fuzz_sse.c, which defines LLVMFuzzerTestOneInput,
# against kanmon::http.  In the preset `asan` it is a fuzzer; in every other one it is a
# test that runs each file of tests/fuzz/corpus/sse once.
function(kanmon_fuzz layer module)
    set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${module})
    add_executable(fuzz_${module} ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_${module}.c)
    target_link_libraries(fuzz_${module} PRIVATE kanmon::${layer} kanmon_flags ${ARGN})
    if(KANMON_FUZZ)
        target_link_options(fuzz_${module} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(fuzz_${module} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
        add_test(NAME corpus.${module} COMMAND fuzz_${module} ${corpus})
        set_tests_properties(corpus.${module} PROPERTIES LABELS unit TIMEOUT 60)
    endif()
    set_property(GLOBAL APPEND PROPERTY KANMON_FUZZERS ${module})
endfunction()
