# SPDX-License-Identifier: Apache-2.0
#
# test/unit/test_*.c   one executable each, run by ctest; other .c files there are shared by all;
#                      target unit-tests
# test/fuzz/fuzz_*.c   one libFuzzer executable each; target fuzz-targets
# test/{bench,e2e,regress}/*.c   small tools of the scripts beside them; targets bench-tools,
#                      e2e-tools, regress-tools; they land in <build>/<folder>/. One whose name
#                      begins with preload_ is a library for LD_PRELOAD

function(shared_sources name folder prefix ret)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    list(FILTER sources EXCLUDE REGEX "/${prefix}[^/]*$")
    set(${ret} PARENT_SCOPE)
    if(sources)
        add_library(${name} STATIC EXCLUDE_FROM_ALL ${sources})
        target_link_libraries(${name} PUBLIC ${layer_libraries} tg_flags)
        target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/${folder})
        set(${ret} ${name} PARENT_SCOPE)
    endif()
endfunction()

if(TOLLGATE_TESTS)
    enable_testing()
    pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
    shared_sources(tg_test test/unit test_ tg_test)
    add_custom_target(unit-tests)
    file(GLOB tests CONFIGURE_DEPENDS test/unit/test_*.c)
    foreach(source IN LISTS tests)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source})
        target_link_libraries(${name} PRIVATE ${tg_test} ${sim_libraries} ${layer_libraries} PkgConfig::cmocka tg_flags)
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
        add_dependencies(unit-tests ${name})
        add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
        set_tests_properties(${name} PROPERTIES TIMEOUT 300 ENVIRONMENT
            "ASAN_OPTIONS=detect_stack_use_after_return=1;UBSAN_OPTIONS=print_stacktrace=1")
    endforeach()
endif()

if(TOLLGATE_FUZZ)
    shared_sources(tg_fuzz test/fuzz fuzz_ tg_fuzz)
    add_custom_target(fuzz-targets)
    file(GLOB targets CONFIGURE_DEPENDS test/fuzz/fuzz_*.c)
    foreach(source IN LISTS targets)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${name} ${source})
        target_link_libraries(${name} PRIVATE ${tg_fuzz} ${layer_libraries} tg_flags)
        add_dependencies(fuzz-targets ${name})
        target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    endforeach()
endif()

foreach(folder bench e2e regress)
    file(GLOB tools CONFIGURE_DEPENDS test/${folder}/*.c)
    add_custom_target(${folder}-tools)
    foreach(source IN LISTS tools)
        get_filename_component(name ${source} NAME_WE)
        if(name MATCHES "^preload_")
            add_library(${folder}_${name} MODULE EXCLUDE_FROM_ALL ${source})
            target_link_libraries(${folder}_${name} PRIVATE tg_flags)
        else()
            add_executable(${folder}_${name} EXCLUDE_FROM_ALL ${source})
            target_link_libraries(${folder}_${name} PRIVATE ${layer_libraries} tg_flags)
        endif()
        set_target_properties(${folder}_${name} PROPERTIES
            OUTPUT_NAME ${name} PREFIX "" RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder}
            LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
        add_dependencies(${folder}-tools ${folder}_${name})
    endforeach()
endforeach()
