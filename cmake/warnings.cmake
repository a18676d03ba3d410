add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                    -Wmissing-prototypes -Wstrict-prototypes -fno-math-errno -Wno-psabi)
add_compile_definitions(_GNU_SOURCE)
