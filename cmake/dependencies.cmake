# Debian packages found through pkg-config. A missing required one names the package to install.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(genba_need target module package)
    pkg_check_modules(${target} IMPORTED_TARGET ${module})
    if(NOT ${target}_FOUND)
        message(FATAL_ERROR "${module} was not found: install it with  apt install ${package}")
    endif()
endfunction()

genba_need(JANSSON jansson libjansson-dev)
genba_need(CYAML libcyaml libcyaml-dev)
genba_need(YAML yaml-0.1 libyaml-dev)
genba_need(SODIUM libsodium libsodium-dev)
genba_need(CMOCKA cmocka libcmocka-dev)

# Chipmunk ships no pkg-config file on Debian.
find_path(CHIPMUNK_INCLUDE chipmunk/chipmunk.h)
find_library(CHIPMUNK_LIBRARY chipmunk)
if(NOT CHIPMUNK_INCLUDE OR NOT CHIPMUNK_LIBRARY)
    message(FATAL_ERROR "chipmunk was not found: install it with  apt install libchipmunk-dev")
endif()
add_library(chipmunk INTERFACE)
target_include_directories(chipmunk SYSTEM INTERFACE ${CHIPMUNK_INCLUDE})
target_link_libraries(chipmunk INTERFACE ${CHIPMUNK_LIBRARY})
