# make install: the program, both libraries, the public headers and a pkg-config file.
if(TARGET genba)
    install(TARGETS genba RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS genba_static genba_shared ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/genba DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The prefix is known only when installing, so the file finds it from its own place.
file(RELATIVE_PATH GENBA_PC_UP ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
# What a program needs that links the static library.
set(GENBA_PC_PRIVATE "-lchipmunk -lmujoco -ludunits2")
foreach(target ${GENBA_CORE} ${GENBA_FEATURES})
    string(REPLACE "PkgConfig::" "" module ${target})
    string(JOIN " " flags ${${module}_LDFLAGS})
    string(APPEND GENBA_PC_PRIVATE " ${flags}")
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/genba.pc.in ${PROJECT_BINARY_DIR}/genba.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/genba.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
