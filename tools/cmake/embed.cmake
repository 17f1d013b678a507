# SPDX-License-Identifier: Apache-2.0
#
# embed_file(<target> <symbol> <path>): the file's bytes as constants of the program. C declares
#
#     extern const unsigned char embed_<symbol>[];
#     extern const size_t embed_<symbol>_size;
#
# A zero byte follows the data, so that text can be used as a string.

set(embed_template [=[
    .section .rodata
    .balign 16
    .global embed_@symbol@
    .type embed_@symbol@, @object
embed_@symbol@:
    .incbin "@path@"
1:
    .byte 0
    .size embed_@symbol@, 1b - embed_@symbol@
    .balign 8
    .global embed_@symbol@_size
    .type embed_@symbol@_size, @object
embed_@symbol@_size:
    .quad 1b - embed_@symbol@
    .size embed_@symbol@_size, 8
    .section .note.GNU-stack,"",@progbits
]=])

function(embed_file target symbol path)
    set(at @)
    string(REPLACE "@symbol@" "${symbol}" text "${embed_template}")
    string(REPLACE "@path@" "${path}" text "${text}")
    set(source ${CMAKE_BINARY_DIR}/embed/embed_${symbol}.S)
    file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
    set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${path} GENERATED TRUE)
    target_sources(${target} PRIVATE ${source})
endfunction()
