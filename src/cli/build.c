/* rambox build: every kernel, image and unified image that profiles use, or those that are named. */
#include "base/str.h"
#include "cli/build_session.h"

#include <stdio.h>

static const char *outcome_name(const struct build_item *item)
{
    if (item->outcome < 0)
        return "failed";
    return item->outcome == IMAGE_UNCHANGED ? "unchanged" : "built";
}

static json_t *item_to_json(const struct build_item *item)
{
    char hex[DIGEST_TEXT_MAX];
    char name[ARTIFACT_NAME_MAX];
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "kind", artifact_kind_name(item->kind), "name",
                               artifact_name_format(item->name, item->arch, name), "arch",
                               arch_name(item->arch), "outcome", outcome_name(item));
    if (item->outcome < 0)
        return object;
    json_object_set_new(object, "sha256", json_string(digest_format(&item->built.artifact, hex)));
    json_object_set_new(object, "size", json_integer((json_int_t)item->built.size));
    json_object_set_new(object, "seconds", json_integer(item->built.seconds));
    if (item->built.because[0])
        json_object_set_new(object, "because", json_string(item->built.because));
    if (item->kind != ARTIFACT_IMAGE)
        return object;
    json_t *largest = json_array();
    for (size_t i = 0; i < IMAGE_LARGEST && item->image.largest[i].path; i++)
        json_array_append_new(largest, json_pack("{s:s, s:I}", "path", item->image.largest[i].path, "size",
                                                 (json_int_t)item->image.largest[i].size));
    json_object_set_new(object, "archive", json_integer((json_int_t)item->image.archive));
    json_object_set_new(object, "root", json_integer((json_int_t)item->image.root));
    json_object_set_new(object, "entries", json_integer(item->image.entries));
    json_object_set_new(object, "largest", largest);
    return object;
}

static void print_json_report(const struct build_session *s, const struct build_list *list)
{
    json_t *items = json_array();
    VEC_EACH(item, &list->items)
        json_array_append_new(items, item_to_json(item));
    print_json(json_pack("{s:o, s:o}", "builds", items, "diagnostics", diags_to_json(&s->diags)));
}

static void print_row(const struct build_item *item)
{
    char size[SIZE_TEXT_MAX] = "-", root[SIZE_TEXT_MAX] = "-", name[ARTIFACT_NAME_MAX];
    if (item->outcome >= 0)
        format_size(item->built.size, size);
    if (item->outcome >= 0 && item->kind == ARTIFACT_IMAGE)
        format_size(item->image.root, root);
    printf("%-7s %-20s %9s %9s %6u s  %s\n", artifact_kind_name(item->kind),
           artifact_name_format(item->name, item->arch, name), size, root, item->built.seconds,
           outcome_name(item));
}

/* What makes an image large. */
static void print_largest(const struct build_item *item)
{
    char size[SIZE_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    if (item->kind != ARTIFACT_IMAGE || item->outcome != 0 || !item->image.largest[0].path)
        return;
    printf("\nlargest files of image %s:\n", artifact_name_format(item->name, item->arch, name));
    for (size_t i = 0; i < IMAGE_LARGEST && item->image.largest[i].path; i++)
        printf("%10s  %s\n", format_size(item->image.largest[i].size, size), item->image.largest[i].path);
}

static void print_because(const struct build_item *item)
{
    char name[ARTIFACT_NAME_MAX];
    if (item->outcome == 0 && item->built.because[0])
        printf("%s %s was built again: %s\n", artifact_kind_name(item->kind),
               artifact_name_format(item->name, item->arch, name), item->built.because);
}

static void print_table(const struct build_list *list)
{
    bool all_unchanged = list->items.n > 0;
    printf("%-7s %-20s %9s %9s %8s\n", "KIND", "NAME", "SIZE", "UNPACKED", "TIME");
    VEC_EACH(item, &list->items) {
        print_row(item);
        all_unchanged = all_unchanged && item->outcome == IMAGE_UNCHANGED;
    }
    VEC_EACH(item, &list->items)
        print_because(item);
    VEC_EACH(item, &list->items)
        print_largest(item);
    if (all_unchanged)
        printf("nothing changed since it was built\n");
}

static int run(struct context *context, int argc, char **argv)
{
    const char *jobs = NULL, *arch = NULL;
    bool refresh = false;
    uint64_t number = 0;
    const struct option_spec options[] = {
        {"--jobs", NULL, &jobs}, {"--refresh", &refresh, NULL}, {"--arch", NULL, &arch}, {0}};
    int n = parse_options(&command_build, options, argc, argv);
    if (n < 0)
        return 2;
    if (jobs && parse_u64(jobs, 1, 1024, &number) < 0)
        return usage_error(&command_build, "--jobs %s: expected a number from 1 to 1024", jobs);
    cleanup_build_session struct build_session s = {0};
    cleanup_build_list struct build_list list = {0};
    if (parse_archs(&command_build, arch, &list.archs) != 0)
        return 2;
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = builder_select(s.site, argv + 1, &s.diags, &list);
    if (r < 0)
        return report_diags(context, &s.diags), 1;
    builder_set_jobs(s.builder, (unsigned)number, refresh);
    r = builder_build(s.builder, s.site, &list);
    if (context->json) {
        print_json_report(&s, &list);
    } else {
        diags_print(&s.diags, stderr);
        print_table(&list);
    }
    return r < 0 ? 1 : 0;
}

const struct command command_build = {
    .name = "build",
    .synopsis = "[--arch ARCH] [--jobs N] [--refresh] [NAME...]",
    .summary = "build the kernels and images that changed",
    .help =
        "Builds all kernels and images that profiles use, or those that are named: `smallest` is every "
        "definition of\n"
        "that name, `image/smallest` and `kernel/smallest` are one of them, and `unified/default` is what "
        "the profile\n"
        "`default` has with `unified: yes`. What did not change since it "
        "was built is\n"
        "not built again. When a build fails, what was built before stays. `rambox publish` makes nodes "
        "boot what was\n"
        "built.\n"
        "\n"
        "Each is built for the processors of the profiles that use it (`arch:` of a profile), or with --arch "
        "for that one.\n"
        "What is built for arm64 is called NAME.arm64.\n"
        "\n"
        "The table at the end shows the size to transfer, and for images what the root takes in the "
        "node's memory.\n"
        "File times in images are 1970, or SOURCE_DATE_EPOCH when that is set.\n"
        "\n"
        "Options:\n"
        "  --arch ARCH  for x86_64 or arm64 alone\n"
        "  --jobs N     compile N files at once; without it, one for each processor\n"
        "  --refresh    fetch packages and sources again\n"
        "\n"
        "Examples:\n"
        "  rambox build\n"
        "  rambox build image/smallest\n"
        "  rambox build --arch arm64 smallest\n",
    .run = run,
};
