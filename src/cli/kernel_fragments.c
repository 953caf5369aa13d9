/* rambox kernel fragments: what kernel definitions can be put together from, and what each piece costs. */
#include "base/str.h"
#include "cli/build_session.h"
#include "kernel/fragment_info.h"

#include <stdio.h>

static json_t *fragment_to_json(const struct fragment_info *info)
{
    json_t *needs = json_array();
    VEC_EACH(need, &info->needs)
        json_array_append_new(needs, json_string(*need));
    json_t *object = json_pack("{s:s, s:s?, s:o, s:s, s:b}", "name", info->name, "for", info->purpose,
                               "needs", needs, "file", info->file, "own", info->own);
    if (info->cost != COST_NOT_KNOWN) {
        json_object_set_new(object, "image_bytes", json_integer(info->image_bytes));
        json_object_set_new(object, "ram_bytes", json_integer(info->ram_bytes));
        json_object_set_new(object, "measured", json_boolean(info->cost == COST_MEASURED));
    }
    return object;
}

/* `12.3 kB`, `-1.20 MB`, `~40 kB` where it was estimated; `?` where not even that. */
static const char *cost_text(const struct fragment_info *info, int64_t bytes, char text[static SIZE_TEXT_MAX])
{
    char size[SIZE_TEXT_MAX];
    if (info->cost == COST_NOT_KNOWN)
        snprintf(text, SIZE_TEXT_MAX, "?");
    else
        snprintf(text, SIZE_TEXT_MAX, "%s%s%.20s", info->cost == COST_ESTIMATED ? "~" : "",
                 bytes < 0 ? "-" : "", format_size(bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes, size));
    return text;
}

static void print_fragment(const struct fragment_info *info)
{
    char image[SIZE_TEXT_MAX], ram[SIZE_TEXT_MAX];
    printf("%-16s %9s %9s  %s", info->name, cost_text(info, info->image_bytes, image),
           cost_text(info, info->ram_bytes, ram), info->purpose ? info->purpose : info->file);
    VEC_EACH(need, &info->needs)
        printf("%s %s", need == info->needs.items ? "; needs" : ",", *need);
    putchar('\n');
}

/* Whether it is asked for: by its name, or since no name was given. */
static bool is_wanted(const struct fragment_info *info, char *const *names)
{
    bool wanted = !*names;
    for (; *names && !wanted; names++)
        wanted = str_eq(*names, info->name);
    return wanted;
}

static int check_names(const struct fragment_list *list, char *const *names, struct diags *diags)
{
    VEC(const char *) known = {0};
    int result = 0;
    VEC_EACH(info, &list->items)
        VEC_PUSH(&known, info->name);
    VEC_PUSH(&known, NULL);
    for (; *names; names++) {
        const char *const *name = known.items;
        while (*name && !str_eq(*name, *names))
            name++;
        const char *nearest = *name ? NULL : nearest_word(*names, known.items);
        if (!*name)
            result =
                diag_error(diags, NULL, "there is no fragment \"%s\"%s%s%s", *names,
                           nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    }
    VEC_FREE(&known);
    return result;
}

static int run_fragments(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_kernel_fragments, options, argc, argv);
    if (n < 0)
        return 2;
    cleanup_build_session struct build_session s = {0};
    cleanup_fragment_list struct fragment_list list = {0};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = fragment_list_read(&s.env, &list);
    if (r == 0)
        r = check_names(&list, argv + 1, &s.diags);
    if (report_diags(context, &s.diags) || r < 0)
        return 1;
    json_t *document = context->json ? json_array() : NULL;
    if (!document)
        printf("%-16s %9s %9s  %s\n", "NAME", "BZIMAGE", "RAM", "FOR");
    VEC_EACH(info, &list.items) {
        if (!is_wanted(info, argv + 1))
            continue;
        if (document)
            json_array_append_new(document, fragment_to_json(info));
        else
            print_fragment(info);
    }
    return document ? print_json(document) : 0;
}

const struct command command_kernel_fragments = {
    .name = "kernel fragments",
    .synopsis = "[NAME...]",
    .summary = "list what kernels can be put together from, and what each piece costs",
    .help =
        "Fragments are named groups of kernel options for `fragments:` of a kernel definition. Each line has "
        "what a\n"
        "fragment adds to the kernel's file and to the memory that is in use before /init starts, what it is "
        "for, and\n"
        "which others it takes. The figures are from Debian's Linux 6.1 for x86_64, compressed with zstd, in "
        "the kernel\n"
        "smallest; ~ stands before what is estimated from the sizes of objects, and ? where nothing is "
        "known, "
        "as with\n"
        "your own.\n"
        "\n"
        "Examples:\n"
        "  rambox kernel fragments\n"
        "  rambox kernel fragments zram hardening\n",
    .run = run_fragments,
};
