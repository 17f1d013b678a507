# SPDX-License-Identifier: Apache-2.0
#
# A layer is a folder of src/ and becomes the library tg_<layer>, linked with the layers below it.
# A layer without sources is left out, and so is a program without its main file.

# Sets `layer_libraries`, highest layer first, as the linker wants them.
function(layers_from_file file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(STRINGS ${file} lines REGEX "^[^#]")
    set(below)
    foreach(line IN LISTS lines)
        separate_arguments(names UNIX_COMMAND "${line}")
        set(here)
        foreach(name IN LISTS names)
            file(GLOB sources CONFIGURE_DEPENDS src/${name}/*.c src/${name}/*/*.c src/${name}/*/*/*.c src/${name}/*.S)
            list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/src/cli/main.c)
            if(sources)
                add_library(tg_${name} STATIC ${sources})
                target_link_libraries(tg_${name} PUBLIC ${below} tg_flags)
                list(PREPEND here tg_${name})
            endif()
        endforeach()
        list(PREPEND below ${here})
    endforeach()
    set(layer_libraries ${below} PARENT_SCOPE)
endfunction()

# An assembler file of the layer that includes files of `folder` with .incbin: found there by their
# names, and assembled again when one of them changes.
function(layer_embed source folder)
    file(GLOB data CONFIGURE_DEPENDS ${folder}/*.csv)
    set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS "${data}" INCLUDE_DIRECTORIES ${folder})
endfunction()

function(layer_embed_file layer symbol path)
    file(GLOB found CONFIGURE_DEPENDS ${path})
    if(TARGET tg_${layer} AND found)
        embed_file(tg_${layer} ${symbol} ${path})
    endif()
endfunction()

# The tokenizer's ranks: made once per build folder by a script that knows where they come from.
function(layer_tokenizer_data layer)
    set(script ${PROJECT_SOURCE_DIR}/tools/gen/tokenizer_data.sh)
    file(GLOB inputs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/gen/tokenizer*)
    if(NOT TARGET tg_${layer} OR NOT script IN_LIST inputs)
        return()
    endif()
    set(out ${TOLLGATE_GEN_DIR}/tokenizer_data.S)
    add_custom_command(OUTPUT ${out}
        COMMAND ${script} ${TOLLGATE_GEN_DIR}
        # The script leaves alone what is right already; the time has to tell so.
        COMMAND ${CMAKE_COMMAND} -E touch ${out}
        DEPENDS ${inputs} ${PROJECT_SOURCE_DIR}/src/${layer}/tokenizer_table.h
        COMMENT "Making tokenizer data" VERBATIM)
    set_source_files_properties(${out} PROPERTIES INCLUDE_DIRECTORIES ${TOLLGATE_GEN_DIR})
    target_sources(tg_${layer} PRIVATE ${out})
endfunction()

# An executable directly in the build folder.
function(program name main)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${main})
        message(STATUS "${name}: ${main} does not exist, not built")
        return()
    endif()
    add_executable(${name} ${main})
    target_link_libraries(${name} PRIVATE ${ARGN} tg_flags)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()
