# Writes the SQL files of migrations/ as one C source: bytes, because a string literal of C
# may have no more than 4095 of them.  Run by CMakeLists.txt: -DOUT=... -DFILES=a;b
set(body "/* Written by src/store/embed.cmake from src/store/migrations: do not edit. */\n")
string(APPEND body "#include \"store/sqlite/migrate.h\"\n\n")
set(rows "")
set(n 0)
foreach(file ${FILES})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(.....................................................................................)"
           "\\1\n" bytes "${bytes}")
    string(APPEND body "static const char sql_${n}[] = {\n${bytes}0x00\n};\n\n")
    string(APPEND rows "    { \"${name}\", sql_${n} },\n")
    math(EXPR n "${n} + 1")
endforeach()
string(APPEND body "const struct km_migration km_migrations[] = {\n${rows}};\n\n")
string(APPEND body "const size_t km_migrations_n = ${n};\n")
file(WRITE ${OUT} "${body}")
