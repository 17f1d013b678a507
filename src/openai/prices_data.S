/* SPDX-License-Identifier: Apache-2.0 */
/* The price catalogue as bytes of the program; see prices_data.h. */
#ifndef PRICES_CSV
#define PRICES_CSV "prices.csv"
#endif
#ifndef MODELS_CSV
#define MODELS_CSV "models.csv"
#endif

    .section .rodata
    .balign 16
    .global prices_default
    .type prices_default, @object
prices_default:
    .incbin PRICES_CSV
1:
    .byte 0
    .size prices_default, . - prices_default
    .balign 16
    .global models_default
    .type models_default, @object
models_default:
    .incbin MODELS_CSV
2:
    .byte 0
    .size models_default, . - models_default
    .balign 8
    .global prices_default_size
    .type prices_default_size, @object
prices_default_size:
    .quad 1b - prices_default
    .size prices_default_size, 8
    .global models_default_size
    .type models_default_size, @object
models_default_size:
    .quad 2b - models_default
    .size models_default_size, 8
    .section .note.GNU-stack,"",@progbits
