# kanmon_module(http SOURCES ... DEPS kanmon::base kanmon::net EXTERNAL kanmon_ext::llhttp)
# One static library per layer.  DEPS is the law: a unit test links its own
# layer only, so an upward call fails to link; lint.layers catches includes.
function(kanmon_module name)
    cmake_parse_arguments(M "" "" "SOURCES;DEPS;EXTERNAL" ${ARGN})
    add_library(km_${name} STATIC ${M_SOURCES})
    add_library(kanmon::${name} ALIAS km_${name})
    target_link_libraries(km_${name} PUBLIC ${M_DEPS} PRIVATE kanmon_flags ${M_EXTERNAL})
    target_include_directories(km_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)  # "http/sse.h"
endfunction()

# kanmon_test(http sse): builds tests/unit/http/test_sse.c against kanmon::http.
function(kanmon_test layer module)
    add_executable(test_${layer}_${module} ${PROJECT_SOURCE_DIR}/tests/unit/${layer}/test_${module}.c)
    target_link_libraries(test_${layer}_${module} PRIVATE kanmon::${layer} kanmon_flags kanmon_ext::cmocka ${ARGN})
    add_test(NAME unit.${layer}.${module} COMMAND test_${layer}_${module})
    set_tests_properties(unit.${layer}.${module} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
