/* rambox image list, show and diff. */
#include "base/file.h"
#include "base/str.h"
#include "cli/build_session.h"
#include "image/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* ---- which image ---- */

/* `g12/image/smallest`: an image of a generation. Returns -EINVAL when it is none of these. */
static int locate_published(struct build_session *s, const char *what, char **ret_path)
{
    enum artifact_kind kind;
    char name[ARTIFACT_NAME_MAX];
    unsigned number;
    CLEANUP(generation_unref) struct generation *generation = NULL;
    if (artifact_path_parse(what, &number, &kind, name) < 0 || kind != ARTIFACT_IMAGE)
        return -EINVAL;
    int r = generation_load(s->site->server.state_dir, number, &s->diags, &generation);
    if (r < 0)
        return r;
    const struct generation_artifact *artifact = generation_artifact(generation, kind, name);
    if (!artifact)
        return diag_error(&s->diags, NULL, "generation %u has no image \"%s\"", number, name), -ENOENT;
    *ret_path = artifact_path(s->artifacts, &artifact->digest);
    return 0;
}

/* The file that an operand means: a name, an image of a generation, a digest, or a path. */
static int locate(struct build_session *s, const char *what, char **ret_path)
{
    struct digest digest;
    struct built built;
    int r = locate_published(s, what, ret_path);
    if (r != -EINVAL)
        return r;
    if (strchr(what, '/')) {
        *ret_path = xstrdup(what);
        return 0;
    }
    if (digest_parse(what, &digest) == 0) {
        *ret_path = artifact_path(s->artifacts, &digest);
        return 0;
    }
    r = builder_find_image(s->builder, s->site, what, &s->diags, &built);
    if (r == 0)
        *ret_path = artifact_path(s->artifacts, &built.artifact);
    return r;
}

static int look_into(struct build_session *s, const char *what, struct inspected *ret_inspected)
{
    cleanup_free char *path = NULL;
    int r = locate(s, what, &path);
    return r < 0 ? r : inspect(path, &s->diags, ret_inspected);
}

/* ---- list ---- */

static json_t *image_to_json(const struct image_def *def, const struct built *built)
{
    char hex[DIGEST_TEXT_MAX];
    json_t *object = json_pack("{s:s, s:s, s:b}", "name", def->name, "compression",
                               compression_name(def->compression), "built", built != NULL);
    if (built) {
        json_object_set_new(object, "sha256", json_string(digest_format(&built->artifact, hex)));
        json_object_set_new(object, "size", json_integer((json_int_t)built->size));
    }
    return object;
}

static int run_list(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_image_list, options, argc, argv);
    if (n < 0)
        return 2;
    if (n > 0)
        return usage_error(&command_image_list, "%s: it takes no operands", argv[1]);
    cleanup_build_session struct build_session s = {0};
    if (build_session_begin(&s, context) < 0)
        return report_diags(context, &s.diags), 1;
    json_t *document = context->json ? json_array() : NULL;
    VEC_EACH(def, &s.site->images) {
        cleanup_diags struct diags quiet = {0}; /* that one is not built is no error here */
        struct built built;
        char size[SIZE_TEXT_MAX] = "not built";
        bool found = builder_find_image(s.builder, s.site, def->name, &quiet, &built) == 0;
        if (found)
            format_size(built.size, size);
        if (document)
            json_array_append_new(document, image_to_json(def, found ? &built : NULL));
        else
            printf("%-20s %-5s %9s  %s\n", def->name, compression_name(def->compression), size,
                   def->pos.file);
    }
    return document ? print_json(document) : 0;
}

const struct command command_image_list = {
    .name = "image list",
    .synopsis = "",
    .summary = "list the image definitions and what is built of them",
    .help = "Each line is a definition: its name, its compression, the size of what is built from it as it "
            "is now, and\n"
            "the file it stands in.\n"
            "\n"
            "Examples:\n"
            "  rambox image list\n",
    .run = run_list,
};

/* ---- show ---- */

/* Size, device number, or nothing, in ls's column. */
static const char *size_column(const struct tree_inode *inode, char buf[static SIZE_TEXT_MAX])
{
    buf[0] = '\0';
    if (S_ISREG(inode->mode))
        snprintf(buf, SIZE_TEXT_MAX, "%ju", (uintmax_t)inode->size);
    else if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
        snprintf(buf, SIZE_TEXT_MAX, "%u, %u", inode->major, inode->minor);
    return buf;
}

static void print_file(const struct tree_entry *entry)
{
    cleanup_str struct str name = {0};
    char mode[MODE_TEXT_MAX], size[SIZE_TEXT_MAX];
    tree_manifest_name(&name, entry->path);
    if (entry->inode->target) {
        str_add(&name, " -> ");
        tree_manifest_name(&name, entry->inode->target);
    }
    printf("%s %u %u:%u %10s %s\n", mode_format(entry->inode->mode, mode), entry->inode->links,
           entry->inode->uid, entry->inode->gid, size_column(entry->inode, size), str_text(&name));
}

static json_t *file_to_json(const struct tree_entry *entry)
{
    const struct tree_inode *inode = entry->inode;
    char mode[MODE_TEXT_MAX], octal[8], hex[DIGEST_TEXT_MAX];
    cleanup_str struct str name = {0};
    tree_manifest_name(&name, entry->path);
    snprintf(octal, sizeof(octal), "%04o", (unsigned)inode->mode & 07777);
    mode_format(inode->mode, mode);
    json_t *object = json_pack("{s:s, s:s#, s:s, s:I, s:I, s:i}", "path", str_text(&name), "type", mode,
                               (size_t)1, "mode", octal, "uid", (json_int_t)inode->uid, "gid",
                               (json_int_t)inode->gid, "links", (int)inode->links);
    if (inode->target) {
        cleanup_str struct str target = {0};
        tree_manifest_name(&target, inode->target);
        json_object_set_new(object, "target", json_string(str_text(&target)));
    }
    if (S_ISREG(inode->mode)) {
        json_object_set_new(object, "size", json_integer((json_int_t)inode->size));
        json_object_set_new(object, "sha256", json_string(digest_format(&inode->digest, hex)));
    }
    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
        json_object_set_new(object, "major", json_integer(inode->major));
        json_object_set_new(object, "minor", json_integer(inode->minor));
    }
    return object;
}

static void show_json(const char *what, const struct inspected *image, bool files)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I}", "image", what, "compression", compression_name(image->compression),
        "size", (json_int_t)image->size, "archive", (json_int_t)image->archive, "root",
        (json_int_t)tree_ram_size(image->tree), "entries", (json_int_t)image->tree->entries.n);
    json_t *list = files ? json_array() : NULL;
    if (list) {
        VEC_EACH(entry, &image->tree->entries)
            json_array_append_new(list, file_to_json(*entry));
        json_object_set_new(object, "files", list);
    }
    print_json(object);
}

static void show_text(const char *what, const struct inspected *image, bool files)
{
    char size[SIZE_TEXT_MAX], archive[SIZE_TEXT_MAX], root[SIZE_TEXT_MAX];
    uint64_t needed = image_memory_needed(tree_ram_size(image->tree), image->size);
    printf("%s: %s, %s to transfer, %s as an archive, %s in memory, %zu names\n", what,
           compression_name(image->compression), format_size(image->size, size),
           format_size(image->archive, archive), format_size(tree_ram_size(image->tree), root),
           image->tree->entries.n);
    printf("a node that unpacks it needs about %ju MiB of RAM\n", (uintmax_t)((needed >> 20) + 1));
    if (files)
        VEC_EACH(entry, &image->tree->entries)
            print_file(*entry);
}

static int run_show(struct context *context, int argc, char **argv)
{
    bool files = false;
    const struct option_spec options[] = {{"--files", &files, NULL}, {0}};
    int n = parse_options(&command_image_show, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 1)
        return usage_error(&command_image_show, n ? "one image at a time" : "which image?");
    cleanup_build_session struct build_session s = {0};
    cleanup_inspected struct inspected image = {0};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = look_into(&s, argv[1], &image);
    if (r != 0)
        return report_diags(context, &s.diags), 1;
    if (context->json)
        show_json(argv[1], &image, files);
    else
        show_text(argv[1], &image, files);
    return 0;
}

const struct command command_image_show = {
    .name = "image show",
    .synopsis = "[--files] IMAGE",
    .summary = "look into a built image",
    .help = "IMAGE is the name of a definition (what is built from it as it is now), an image of a "
            "generation such as\n"
            "g12/image/smallest, a SHA-256, or the path of a file. The archive is checked strictly on the "
            "way: what the\n"
            "kernel would skip, or write elsewhere, is an error.\n"
            "\n"
            "Options:\n"
            "  --files  list every name, with type, permissions, links, owner, size\n"
            "\n"
            "Examples:\n"
            "  rambox image show smallest\n"
            "  rambox image show --files ./initramfs.cpio.gz\n",
    .run = run_show,
};

/* ---- diff ---- */

/* One line: `+` only in the second, `-` only in the first, `~` in both. */
struct difference {
    char sign;
    const char *path;
    char *text; /* owned */
};
struct differences {
    VEC(struct difference) list;
};

static void differences_free(struct differences *d)
{
    VEC_EACH(it, &d->list)
        free(it->text);
    VEC_FREE(&d->list);
}

/* Adds what there is to say of one name; x or y is NULL where only the other tree has it. */
static void add_difference(struct differences *d, const struct tree_entry *x, const struct tree_entry *y)
{
    const struct tree_entry *one = x ? x : y;
    struct str text = {0};
    char size[SIZE_TEXT_MAX];
    if (!one)
        return;
    if (x && y)
        entry_diff(x, y, &text);
    else if (S_ISREG(one->inode->mode))
        str_add(&text, format_size(one->inode->size, size));
    if (x && y && text.len == 0)
        return;
    struct difference *it = VEC_ADD(&d->list);
    it->sign = '~';
    if (!y)
        it->sign = '-';
    if (!x)
        it->sign = '+';
    it->path = one->path;
    it->text = str_steal(&text);
}

/* Both are sorted by name. */
static void compare(const struct tree *a, const struct tree *b, struct differences *d)
{
    for (size_t i = 0, k = 0; i < a->entries.n || k < b->entries.n;) {
        const struct tree_entry *x = i < a->entries.n ? a->entries.items[i] : NULL;
        const struct tree_entry *y = k < b->entries.n ? b->entries.items[k] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);
        add_difference(d, order <= 0 ? x : NULL, order >= 0 ? y : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

static void print_difference(const struct difference *it, json_t *document)
{
    cleanup_str struct str name = {0};
    tree_manifest_name(&name, it->path);
    if (document)
        json_array_append_new(document, json_pack("{s:s#, s:s, s:s}", "change", &it->sign, (size_t)1, "path",
                                                  str_text(&name), "what", it->text));
    else
        printf("%c %s%s%s\n", it->sign, str_text(&name), it->text[0] ? ": " : "", it->text);
}

static int run_diff(struct context *context, int argc, char **argv)
{
    static const struct option_spec options[] = {{0}};
    int n = parse_options(&command_image_diff, options, argc, argv);
    if (n < 0)
        return 2;
    if (n != 2)
        return usage_error(&command_image_diff, "it compares two images");
    cleanup_build_session struct build_session s = {0};
    cleanup_inspected struct inspected a = {0}, b = {0};
    struct differences differences = {0};
    int r = build_session_begin(&s, context);
    if (r == 0)
        r = look_into(&s, argv[1], &a);
    if (r == 0)
        r = look_into(&s, argv[2], &b);
    if (r != 0)
        return report_diags(context, &s.diags), 1;
    json_t *document = context->json ? json_array() : NULL;
    compare(a.tree, b.tree, &differences);
    VEC_EACH(it, &differences.list)
        print_difference(it, document);
    if (document)
        print_json(document);
    else if (differences.list.n == 0)
        printf("the same names with the same content\n");
    differences_free(&differences);
    return 0;
}

const struct command command_image_diff = {
    .name = "image diff",
    .synopsis = "IMAGE IMAGE",
    .summary = "show what differs between two built images",
    .help = "A line for each name: `-` only the first has it, `+` only the second, `~` both have it and what "
            "differs. An\n"
            "IMAGE is named as for `rambox image show`.\n"
            "\n"
            "Examples:\n"
            "  rambox image diff smallest howto\n"
            "  rambox image diff g12/image/smallest smallest\n",
    .run = run_diff,
};
