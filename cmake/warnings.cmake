add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -Wmissing-prototypes -Wstrict-prototypes -fno-math-errno -Wno-psabi)
# gcc 12 does not see that results are written whenever a status is GB_OK; valgrind
# does see a value that was not.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
endif()
add_compile_definitions(_GNU_SOURCE)
