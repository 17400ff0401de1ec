# The libraries kanmon is built from: Debian packages with the oldest version that
# works.  scripts/dependencies.txt lists the packages and the reasons; what is missing,
# ./scripts/quickstart and ./scripts/test install.  A layer names what it needs as
# EXTERNAL kanmon_ext::NAME; tests/lint/layers.py says which layer may.
find_package(PkgConfig REQUIRED)

function(kanmon_ext name spec)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${spec})
    add_library(kanmon_ext_${name} INTERFACE)
    add_library(kanmon_ext::${name} ALIAS kanmon_ext_${name})
    target_link_libraries(kanmon_ext_${name} INTERFACE PkgConfig::${name})
endfunction()

kanmon_ext(openssl "openssl>=3.0")
kanmon_ext(libuv "libuv>=1.44")
kanmon_ext(cares "libcares>=1.18")
kanmon_ext(llhttp "libllhttp>=9.2")
kanmon_ext(yyjson "yyjson>=0.10")
kanmon_ext(libyaml "yaml-0.1>=0.2.5")
kanmon_ext(sqlite "sqlite3>=3.40")
if(KANMON_TESTS)
    kanmon_ext(cmocka "cmocka>=1.1.5")
endif()
