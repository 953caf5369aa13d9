/* See build/fragment.h. */
#include "build/fragment.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>

#define CONFIG_FILE_LIMIT (4u << 20)

static void asked_clear(struct asked *asked)
{
    free(asked->name);
    free(asked->value);
    free(asked->file);
}

void fragments_free(struct fragments *f)
{
    VEC_EACH(it, &f->list)
        asked_clear(it);
    VEC_FREE(&f->list);
}

void config_values_free(struct config_values *c)
{
    VEC_EACH(it, &c->list)
        asked_clear(it);
    VEC_FREE(&c->list);
}

const struct asked *fragments_find(const struct fragments *f, const char *name)
{
    VEC_EACH(it, &f->list)
        if (str_eq(it->name, name))
            return it;
    return NULL;
}

/* What a line may end with: the symbol is not in all versions of the tree. */
#define IF_KNOWN "# where it exists"

/* The length of the value at `text`, without a mark behind it. */
static size_t value_length(const char *text, bool *ret_if_known)
{
    size_t length = strlen(text);
    *ret_if_known = str_ends(text, " " IF_KNOWN);
    if (*ret_if_known)
        length -= strlen(IF_KNOWN);
    while (*ret_if_known && length && text[length - 1] == ' ')
        length--;
    return length;
}

/* A number, a letter, or a text in quotes; behind it stands nothing. */
static bool is_value(const char *value, size_t length)
{
    return value[0] == '"' || strcspn(value, " \t#") >= length;
}

/* One line of a .config; blanks at its end, as those of other systems' line ends, are none of it. 1: it names
 * a symbol, and its name and value are the caller's; 0: nothing in it; -EINVAL: neither. */
static int parse_line(const char *text, struct asked *ret_asked)
{
    static const char prefix[] = "CONFIG_";
    static const char off[] = " is not set";
    size_t end = strlen(text);
    while (end && isspace((unsigned char)text[end - 1]))
        end--;
    cleanup_free char *line = xstrndup(text, end);
    bool is_off = str_starts(line, "# CONFIG_") && str_ends(line, off);
    if (!is_off && (line[0] == '#' || !line[0]))
        return 0;
    const char *name = line + (is_off ? 2 : 0);
    if (!str_starts(name, prefix))
        return -EINVAL;
    name += sizeof(prefix) - 1;
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) || name[length] == '_')
        length++;
    if (length == 0 || (is_off ? !str_eq(name + length, off) : name[length] != '='))
        return -EINVAL;
    bool if_known = false;
    const char *value = is_off ? "n" : name + length + 1;
    size_t value_size = is_off ? 1 : value_length(value, &if_known);
    if (!is_value(value, value_size))
        return -EINVAL;
    *ret_asked = (struct asked){
        .name = xstrndup(name, length), .value = xstrndup(value, value_size), .if_known = if_known};
    return 1;
}

/* Takes name and value of `asked`. */
static void ask(struct fragments *f, struct asked asked, const struct pos *at, struct diags *diags)
{
    asked.file = xstrdup(at->file);
    asked.line = at->line;
    asked.column = at->column;
    struct asked *known = (struct asked *)(uintptr_t)fragments_find(f, asked.name);
    if (!known) {
        VEC_PUSH(&f->list, asked);
        return;
    }
    if (!str_eq(known->value, asked.value))
        diag_note(diags, at, "%s=%s replaces %s=%s of %s:%u", asked.name, asked.value, asked.name,
                  known->value, known->file, known->line);
    asked_clear(known);
    *known = asked;
}

int fragments_add_text(struct fragments *f, const char *file, const char *text, struct diags *diags)
{
    cleanup_free char *copy = xstrdup(text);
    unsigned number = 1;
    int result = 0;
    for (char *line = copy; line; number++) {
        char *end = strchr(line, '\n');
        struct asked asked;
        const struct pos at = {.file = file, .line = number, .column = 1};
        if (end)
            *end = '\0';
        int r = parse_line(line, &asked);
        if (r < 0)
            result = diag_error(diags, &at,
                                "\"%s\" is no configuration line; expected CONFIG_NAME=value or "
                                "# CONFIG_NAME is not set",
                                line);
        if (r > 0)
            ask(f, asked, &at, diags);
        line = end ? end + 1 : NULL;
    }
    return result;
}

int fragments_add_file(struct fragments *f, const char *path, struct diags *diags)
{
    cleanup_free char *text = NULL;
    size_t size;
    int r = file_read(path, CONFIG_FILE_LIMIT, &text, &size);
    if (r < 0)
        return diag_errno(diags, r, "cannot read the fragment %s", path);
    if (strlen(text) != size)
        return diag_error(diags, &(struct pos){.file = path}, "a fragment is text, and this has a zero byte");
    return fragments_add_text(f, path, text, diags);
}

/* y, n, m, a decimal or a hexadecimal number, or already in quotes. */
static bool stands_as_it_is(const char *value)
{
    const char *digits = value + (value[0] == '-');
    size_t length = strlen(digits);
    if (length == 0)
        return false;
    if (str_eq(value, "y") || str_eq(value, "n") || str_eq(value, "m"))
        return true;
    if (value[0] == '"' && str_ends(value + 1, "\""))
        return true;
    if (str_starts(value, "0x") && length > 2)
        return strspn(value + 2, "0123456789abcdefABCDEF") == length - 2;
    return strspn(digits, "0123456789") == length;
}

static char *quoted(const char *value)
{
    struct str text = {0};
    str_add(&text, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            str_add(&text, "\\");
        str_add_n(&text, c, 1);
    }
    str_add(&text, "\"");
    return str_steal(&text);
}

void fragments_set(struct fragments *f, const char *name, const char *value, const struct pos *at,
                   struct diags *diags)
{
    const struct pos nowhere = {.file = "symbols"};
    const struct asked asked = {.name = xstrdup(name),
                                .value = stands_as_it_is(value) ? xstrdup(value) : quoted(value)};
    ask(f, asked, at && at->file ? at : &nowhere, diags);
}

void fragments_add_all(struct fragments *f, const struct fragments *other)
{
    cleanup_diags struct diags unused = {0};
    VEC_EACH(it, &other->list)
        ask(f,
            (struct asked){.name = xstrdup(it->name), .value = xstrdup(it->value), .if_known = it->if_known},
            &(struct pos){.file = it->file, .line = it->line, .column = it->column}, &unused);
}

static void write_line(const struct asked *asked, struct str *out)
{
    if (str_eq(asked->value, "n"))
        str_printf(out, "# CONFIG_%s is not set\n", asked->name);
    else
        str_printf(out, "CONFIG_%s=%s\n", asked->name, asked->value);
}

void fragments_write(const struct fragments *f, struct str *out)
{
    VEC_EACH(it, &f->list)
        write_line(it, out);
}

/* The symbol that a line names, as the changes have it; NULL: the line stays. */
static const struct asked *change_of(const struct fragments *changes, const char *line)
{
    struct asked asked = {0};
    if (parse_line(line, &asked) <= 0)
        return NULL;
    const struct asked *change = fragments_find(changes, asked.name);
    asked_clear(&asked);
    return change;
}

void fragments_edit(const char *text, const struct fragments *changes, const char *heading, struct str *out)
{
    cleanup_fragments struct fragments known = {0};
    cleanup_diags struct diags unused = {0};
    bool headed = false;
    (void)fragments_add_text(&known, "", text, &unused);
    while (*text) {
        size_t length = strcspn(text, "\n");
        cleanup_free char *line = xstrndup(text, length);
        const struct asked *change = change_of(changes, line);
        if (change)
            write_line(change, out);
        else
            str_printf(out, "%s\n", line);
        text += length + (text[length] == '\n');
    }
    VEC_EACH(change, &changes->list) {
        if (fragments_find(&known, change->name))
            continue;
        if (!headed)
            str_printf(out, "# %s\n", heading);
        headed = true;
        write_line(change, out);
    }
}

static int compare_asked(const void *a, const void *b)
{
    return strcmp(((const struct asked *)a)->name, ((const struct asked *)b)->name);
}

int config_values_read(const char *path, struct config_values *ret_values)
{
    cleanup_free char *text = NULL;
    struct config_values values = {0};
    char *save = NULL;
    int r = file_read(path, CONFIG_FILE_LIMIT, &text, NULL);
    if (r < 0)
        return r;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct asked item = {0};
        if (parse_line(line, &item) > 0)
            VEC_PUSH(&values.list, item);
    }
    if (values.list.n)
        qsort(values.list.items, values.list.n, sizeof(struct asked), compare_asked);
    *ret_values = values;
    return 0;
}

const char *config_value(const struct config_values *c, const char *name)
{
    struct asked key = {.name = (char *)(uintptr_t)name};
    const struct asked *found =
        c->list.n ? bsearch(&key, c->list.items, c->list.n, sizeof(key), compare_asked) : NULL;
    return found ? found->value : "n";
}
