# shellcheck shell=bash
# about: unit tests of what has threads under ThreadSanitizer
# inputs: src/sys/CMakeLists.txt tests/unit/sys/CMakeLists.txt
# Left out is what tries every input of a function in one thread: the other sanitizers look at it.
one_thread='^unit\.(base\.time|http\.(json_span|sse)|llm\.events|policy\.price_file)$'
part_short() {
    km_build tsan
    km_ctest tsan -L unit -E "$one_thread"
}
