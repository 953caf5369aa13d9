/* The list of all commands, one line each, sorted by name (words joined by `_`). `X(node_add)` stands for
 * `const struct command command_node_add` in the command's own file; adding a command is that file, its line
 * in meson.build, and a line here. */
#pragma once

/* clang-format off */
#define COMMANDS(X)          \
    X(boot_paths)            \
    X(build)                 \
    X(check)                 \
    X(completion)            \
    X(doctor)                \
    X(firewall)              \
    X(generation_diff)       \
    X(generation_list)       \
    X(generation_rollback)   \
    X(hardware_list)         \
    X(hardware_retry)        \
    X(hardware_show)         \
    X(help)                  \
    X(hxip)                  \
    X(image_diff)            \
    X(image_list)            \
    X(image_show)            \
    X(import)                \
    X(init)                  \
    X(kernel_build)          \
    X(kernel_config)         \
    X(kernel_diff)           \
    X(kernel_fit)            \
    X(kernel_fragments)      \
    X(kernel_list)           \
    X(kernel_modules)        \
    X(kernel_size)           \
    X(kernel_why)            \
    X(lease_history)         \
    X(lease_list)            \
    X(lease_release)         \
    X(node_add)              \
    X(node_candidates)       \
    X(node_list)             \
    X(node_rm)               \
    X(node_show)             \
    X(publish)               \
    X(serve)                 \
    X(try)                   \
    /* end of the list */
/* clang-format on */
